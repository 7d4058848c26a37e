"""What `make bench` measures of requests, in small: everything is asked, every answer is looked at."""

import pytest

from benchmarks import serving, starting
from benchmarks.floor_server import FloorServer
from benchmarks.given import Given
from benchmarks.load import Operation, WrongAnswer
from benchmarks.lockstep_server import LockstepServer
from benchmarks.results import Run
from benchmarks.rounds import CONNECTIONS, excused, measure
from benchmarks.servers import Case, started
from benchmarks.workloads import WORKLOADS, Stage, Workload, look_up
from sso_server.core.identifiers import ACCESS_TOKEN

pytestmark = pytest.mark.slow

ENGINES = [("sqlite", ("W2", "CR")), pytest.param("redis", tuple(WORKLOADS), marks=pytest.mark.redis)]


@pytest.mark.parametrize(("store", "names"), ENGINES)
def test_every_workload_is_measured_here_and_at_the_floor(store: str, names: tuple[str, ...]) -> None:
    run = Run()
    given = Given(rounds=1, seconds=0.05, web_servers=("gunicorn",), stores=(store,), workloads=names, alone=True)
    for figure in serving.figures(given):
        run.add(figure)
    for product in ("lockstep", "floor"):
        for name in names:
            if product == "lockstep" and name == "hash":
                continue  # a route of the floor's
            at = str(min(CONNECTIONS, WORKLOADS[name].most))
            cases = [case for case in run.cases(name, at) if case.product == product]
            assert len(cases) == 1, (product, name)
            assert run.values(cases[0], name, "per_second", at)[0] > 0


def test_no_figure_comes_from_an_error_page() -> None:
    def forged(stage: Stage, who: int, turn: int) -> Operation[None]:
        stage.tokens[who] = {**stage.tokens[who], "access_token": f"{ACCESS_TOKEN}-00-{'a' * 32}"}
        yield from look_up(stage, who, turn)

    with started(LockstepServer(store="sqlite")) as server:
        assert server.openid is not None
        stage = Stage(server, server.openid).sign_in(1)
        reading = measure(stage, WORKLOADS["W3u"], 0, 0.2, 1)
        assert reading.operations > 0
        assert reading.cpu_ms > 0
        with pytest.raises(WrongAnswer, match=r"userinfo(?s:.*) 401 "):
            measure(stage, Workload("W3u", "with a token that nobody issued", forged), 0, 5, 1)


def test_another_server_that_fails_takes_nothing_of_the_others_along(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = {"W1", "W2"}
    with excused(Case("glewlwyd", "its own", "sqlite"), wanted, 3):
        raise WrongAnswer("the way back: not expected was\nHTTP/1.1 302 Found")
    assert not wanted
    assert "3 glewlwyd" in capsys.readouterr().err
    for product in ("lockstep", "floor"):
        with pytest.raises(WrongAnswer), excused(Case(product, "gunicorn", "sqlite"), {"W1"}, 3):
            raise WrongAnswer("the way back")


def test_memory_is_read_of_each_worker_and_a_start_is_timed_to_both_answers() -> None:
    held = list(starting.memories(lambda: FloorServer(store="sqlite"), share=0.02))
    assert {figure.at for figure in held} == {"fresh", "after silent sign-ins", "after sign-ins"}
    workers = [figure.value for figure in held if figure.name == "worker_rss_mb"]
    # A Python with Flask; not the whole machine, and not the master's few pages.
    assert all(20 < value < 400 for value in workers)
    (start,) = starting.cold_starts(LockstepServer(store="sqlite"), 1)
    assert 0.1 < start.value < 30
