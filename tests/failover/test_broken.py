"""Guarantees broken on purpose: the counting sees each of them. A Redis comes back with an old snapshot each time."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.failover import broken
from tests.failover.answers import HANG_S, Answer, Answers
from tests.failover.losses import Losses
from tests.failover.town import SETTINGS, peopled, wait_for_all
from tests.support.centre import Centre
from tests.support.luck import until_caught
from tests.support.services import OwnRedis

_ROOT = Path(__file__).parents[2]
Count = Callable[[str], Losses]


@pytest.fixture
def count(tmp_path: Path, own_redis: Callable[..., OwnRedis]) -> Iterator[Count]:
    """A run with these faulty parts, and what it found. Each has a directory of its own."""
    centres: list[Centre] = []

    def run(parts: str) -> Losses:
        assert set(parts.split("+")) <= set(broken.PARTS)
        here = tmp_path / f"run{len(centres)}"
        here.mkdir()
        server = own_redis("--appendonly", "no")
        centre = Centre(here, server.url, SETTINGS)
        centre.process.argv = [sys.executable, "-m", "tests.failover.broken", parts, f"127.0.0.1:{centre.port}"]
        centre.process.cwd = _ROOT
        centres.append(centre)
        centre.start()
        with peopled(here, centre, f"Broken: {parts}") as town:
            before = town.half_way(times=3)
            with redis.Redis.from_url(server.url) as connection:
                connection.save()
            wait_for_all(town.finish(before))
            server.kill()
            # So long that the delivery process doesn't look at once when it is back.
            time.sleep(4)
            server.start()
            town.wait_for_sign_ins()
            found = town.reckon(tell_s=5)
        centre.process.stop()
        server.kill()
        (server.directory / "dump.rdb").unlink()
        return found

    yield run
    for centre in centres:
        centre.process.stop()


def test_without_the_fence_ended_sessions_are_seen_alive(count: Count) -> None:
    found = count("open-fence")
    assert found.alive_again
    with pytest.raises(AssertionError, match="alive_again"):
        found.hold(sessions=True, untold=True, rotated_again=True)


def test_tickets_and_revocations_that_nobody_puts_right_are_seen_at_work(count: Count) -> None:
    def again() -> bool:
        found = count("tickets-stay+revocations-stay-lost")
        assert not found.alive_again, "the other parts are whole"
        return bool(found.redeemed_again or found.revoked_again)

    # Which of the two falls into the lost moments is luck: tests/delivery/test_restored_grants.py has each for itself.
    assert until_caught(again, seconds=120)


@pytest.mark.parametrize(
    ("answers", "outage"),
    [
        ([(0, 200), (1, 503), (2, 503), (3, 200), (4, 503), (5, 200)], 2.1),
        ([(0, 200), (1, 200)], 0.0),
        ([(0, 200), (1, 503)], float("inf")),
    ],
)
def test_an_outage_lasts_from_the_first_failure_to_the_next_success(
    answers: list[tuple[int, int]], outage: float
) -> None:
    found = Answers()
    for at, status in answers:
        found.add(Answer(at, "sign in", status, 0.1))
    assert found.outage_s("sign in") == pytest.approx(outage)


@pytest.mark.parametrize(
    ("script", "headers", "problem"),
    [
        ("500", {}, "500"),
        ("503", {}, "without Retry-After"),
        ("503", {"Retry-After": "2"}, ""),
        ("close", {}, "no answer"),
    ],
)
def test_an_answer_that_is_neither_success_nor_a_clear_503_is_written_down(
    script: str, headers: dict[str, str], problem: str
) -> None:
    from tests.failover.line import Line, NotNow
    from tests.support.sinks import Sink

    answers = Answers()
    with Sink(script, headers=headers) as sink, pytest.raises(NotNow):
        Line(f"http://127.0.0.1:{sink.port}", "http://127.0.0.1", answers).ask("step", "GET", "/")
    assert [problem in each for each in answers.unclear()] == ([True] if problem else [])
    assert HANG_S < 10


def test_a_session_that_is_gone_before_anybody_signed_out_is_lost_and_not_ended() -> None:
    from tests.failover.books import Life
    from tests.failover.line import Line
    from tests.failover.people import sign_out
    from tests.support.sinks import Sink

    never_asked, asked = Life(1, "leaves"), Life(2, "leaves", end_asked=True)
    with Sink("303") as sink:
        for life in (never_asked, asked):
            sign_out(Line(f"http://127.0.0.1:{sink.port}", "http://127.0.0.1", Answers()), life)
    assert (never_asked.is_gone, never_asked.ended_at) == (True, 0.0)
    assert asked.is_gone
    assert asked.ended_at


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, ""),
        ({"outages_s": [1.0, float("inf")]}, "sign-ins did not come back"),
        ({"tries": 0}, "nobody tried"),
        ({"acknowledged": {"opened": 3, "revoked": 0}}, "never acknowledged"),
        ({"overhang": ["12 (leaves_at_site), 0.7 s at shop"]}, "overhang"),
    ],
)
def test_a_run_in_which_nothing_happened_or_sign_ins_did_not_come_back_is_no_zero(
    changed: dict[str, object], sentence: str
) -> None:
    found = Losses(**{"setting": "s", "outages_s": [1.0], "acknowledged": {"opened": 3}, "tries": 7, **changed})
    with pytest.raises(AssertionError, match=sentence) if sentence else contextlib.nullcontext():
        found.hold()
