"""The soak in small, and its parts: what it says of lost sign-outs and of nodes that die can be believed."""

import base64
import json
import threading
import time
from pathlib import Path

import pytest
import requests

from benchmarks import soak
from benchmarks.listeners import listening
from benchmarks.load import Operation, request
from benchmarks.nodes import Caller, CutOffError, Nodes
from benchmarks.people import Diary, Pace, SignedOut, coming_and_going
from benchmarks.traffic import Site, Traffic, by_form
from tests.support.centre import wait_until
from tests.support.ports import free_port
from tests.support.sinks import Sink


def ask(method: str) -> Operation[int]:
    answer = yield request(method, "/", "centre.example", form={} if method == "POST" else None)
    return answer.status


def a_token(sid: str) -> str:
    payload = base64.urlsafe_b64encode(json.dumps({"sid": sid}).encode()).decode().rstrip("=")
    return f"e30.{payload}.e30"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_node_that_refuses_costs_nobody_anything(method: str) -> None:
    with Sink("ok") as alive:
        nodes = Nodes([("127.0.0.1", free_port()), ("127.0.0.1", alive.port)])
        caller = Caller(nodes)
        # Whoever is tried first, the other one answers; after a refusal it is left alone for a while.
        assert [caller.do(ask(method)) for _ in range(20)] == [200] * 20
        caller.close()
    assert alive.count == 20
    assert nodes.refused <= 2
    assert (nodes.cut, nodes.failures) == (0, [])


def test_what_a_dying_node_did_not_answer_is_asked_again_only_if_it_is_a_get() -> None:
    with Sink("close", "ok") as dying:
        nodes = Nodes([("127.0.0.1", dying.port)])
        caller = Caller(nodes)
        assert caller.do(ask("GET")) == 200
        dying.script("close")
        with pytest.raises(CutOffError):
            caller.do(ask("POST"))
        caller.close()
    assert (nodes.cut, caller.repeated) == (2, 1)


def test_an_answer_of_500_is_noted_with_the_node_that_gave_it() -> None:
    with Sink("503") as ill:
        nodes = Nodes([("127.0.0.1", ill.port)])
        caller = Caller(nodes)
        assert caller.do(ask("GET")) == 503
        caller.close()
    [(_, address, head)] = nodes.failures
    assert address == ("127.0.0.1", ill.port)
    assert " 503" in head


def test_sites_note_who_was_signed_out_and_a_silence_is_found(tmp_path: Path) -> None:
    with listening(tmp_path) as sites:
        for number in (1, 20):
            answer = requests.post(sites.logout_uri(Site(number)), data={"logout_token": a_token("sid-1")}, timeout=10)
            assert answer.status_code == 200
        assert [(one.site, one.sid) for one in sites.heard()] == [(1, "sid-1"), (20, "sid-1")]
        assert soak.all_told([SignedOut("sid-1", frozenset({1, 20}))], sites, 10) == ([], 2)
        assert soak.all_told([SignedOut("sid-1", frozenset({1, 7}))], sites, 0.1) == ([("sid-1", 7)], 2)


def test_people_who_are_shown_an_error_page_say_so() -> None:
    with Sink("500") as broken:
        host = f"127.0.0.1:{broken.port}"
        nodes = Nodes([("127.0.0.1", broken.port)])
        with coming_and_going(Traffic(host, by_form()), nodes, 1, Pace(20)) as diary:
            wait_until(lambda: diary.wrong, seconds=20)
    assert "500" in diary.wrong[0]
    assert nodes.failures
    assert not diary.done


def test_a_pace_is_kept_by_all_together() -> None:
    begun, pace = time.monotonic(), Pace(100)
    threads = [threading.Thread(target=lambda: [pace.wait() for _ in range(10)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.29 < time.monotonic() - begun < 3


def test_memory_that_grows_is_seen_and_memory_that_does_not_is_flat() -> None:
    def slope(*held: float) -> float:
        samples = [soak.Sample(float(at), one) for at, one in enumerate(held)]
        return soak.Soak(1, 1, Diary(), (0, 0), [], 0, memory=samples).growth_mb_an_hour

    assert slope(90, 95, 100, 100, 100, 100) == 0
    assert slope(100, 101, 102, 103, 104, 105) == pytest.approx(3600)
    assert slope(*[100] * 12, *[100] * 9, 119, 100, 119) == 0, "two samples that met a hash"
    assert slope(*[100] * 12, *range(100, 109), 128, 110, 130) == pytest.approx(3600)


@pytest.mark.engines
@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.postgres
def test_a_node_dies_under_load_and_nothing_is_lost() -> None:
    run = soak.measure(12, persons=4)
    assert run.is_whole, (run.diary.wrong, run.failures, run.untold)
    assert run.diary.signed_out
    assert run.tellings >= sum(len(one.sites) for one in run.diary.signed_out)
    assert 0 < run.per_second <= run.ceiling
    assert run.memory
