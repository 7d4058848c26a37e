"""What each answer means for a row, as a table (design: sign-out, retry), and what a row is born as."""

from dataclasses import replace

import pytest

from sso_server.core.notifications import (
    Answer,
    Notification,
    State,
    after_answer,
    moot,
    put_back,
    released,
    state_at_birth,
    without_address,
)

NOW = 1_800_000_000_000
DAY = 86_400_000
STORE = "st-" + "a" * 32
OTHER = "st-" + "b" * 32


def row(
    attempt: int = 1,
    *,
    last_error: str = "",
    last_status: int | None = None,
    store_id: str = "",
    local_until: int = NOW + 30 * DAY,
) -> Notification:
    return Notification(
        sid="sid-00-" + "a" * 32,
        client_id="shop",
        store_id=store_id,
        kind="oidc",
        logout_uri="https://shop.example/",
        user_id="usr-" + "a" * 32,
        reason="sign_out",
        ended_at=NOW,
        local_until=local_until,
        state=State.CLAIMED,
        attempt=attempt,
        sends=attempt - 1,
        last_error=last_error,
        last_status=last_status,
    )


def middle() -> float:
    """Jitter that changes nothing: the factor is 0.8 + 0.4 * jitter."""
    return 0.5


def told(given: Notification, *answers: Answer) -> list[tuple[State, float | None, str]]:
    """State, wait in seconds and error after each of the answers, one after the other, as a store would keep them."""
    seen = []
    for answer in answers:
        result = after_answer(given, answer, NOW, middle)
        wait = None if result.next_attempt_at is None else (result.next_attempt_at - NOW) / 1000
        seen.append((result.state, wait, result.error))
        given = row(given.attempt + 1, last_error=result.error, last_status=result.status, store_id=given.store_id)
    return seen


@pytest.mark.covers("line-104")
@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_any_2xx_is_an_acknowledgement(status: int) -> None:
    assert told(row(7), Answer(status)) == [(State.ACKNOWLEDGED, None, "")]


def test_a_2xx_of_another_store_leaves_the_row_pending() -> None:
    assert told(row(store_id=STORE), Answer(200, store_id=STORE)) == [(State.ACKNOWLEDGED, None, "")]
    assert told(row(store_id=STORE), Answer(200)) == [(State.PENDING, 60, "other_store")]
    assert told(row(), Answer(200, store_id=OTHER)) == [(State.ACKNOWLEDGED, None, "")]
    assert told(row(store_id=STORE), Answer(200, store_id=OTHER)) == [(State.PENDING, 60, "other_store")]


@pytest.mark.covers("line-106")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(None, "timeout"), "timeout"),
        (Answer(None, "connect"), "connect"),
        (Answer(None, "dns"), "dns"),
        (Answer(408), "http_408"),
        (Answer(425), "http_425"),
        (Answer(429), "http_429"),
        (Answer(500), "http_500"),
        (Answer(503), "http_503"),
        (Answer(599), "http_599"),
    ],
)
def test_what_may_recover_is_repeated_with_growing_waits_and_never_given_up(answer: Answer, error: str) -> None:
    waits = [1, 4, 15, 30, 60, 120, 300, 600, 1200, 2400, 3600, 7200, 14400, 28800, 43200, 43200, 43200]
    assert told(row(), *[answer] * len(waits)) == [(State.PENDING, wait, error) for wait in waits]


def test_jitter_moves_a_wait_by_a_fifth_at_most() -> None:
    for jitter, wait in ((0.0, 48_000), (0.5, 60_000), (0.999, 71_976)):
        assert after_answer(row(5), Answer(500), NOW, lambda at=jitter: at).next_attempt_at == NOW + wait


@pytest.mark.parametrize(
    ("retry_after_ms", "wait_s"), [(0, 1), (500, 1), (7_000, 7), (3_600_000, 3600), (999_999_999_000, 3600)]
)
def test_retry_after_is_honoured_between_a_second_and_an_hour(retry_after_ms: int, wait_s: int) -> None:
    for status in (429, 503):
        answer = Answer(status, retry_after_ms=retry_after_ms)
        assert told(row(9), answer) == [(State.PENDING, wait_s, f"http_{status}")]


@pytest.mark.covers("line-104")
def test_400_is_believed_the_third_time() -> None:
    assert told(row(), *[Answer(400)] * 3) == [
        (State.PENDING, 30, "http_400"),
        (State.PENDING, 300, "http_400/2"),
        (State.REFUSED, None, "http_400/3"),
    ]


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404, 405, 410, 413, 415])
def test_a_permanent_answer_is_believed_the_third_time_within_ten_minutes(status: int) -> None:
    assert told(row(), *[Answer(status)] * 3) == [
        (State.PENDING, 60, f"http_{status}"),
        (State.PENDING, 540, f"http_{status}/2"),
        (State.ABANDONED, None, f"http_{status}/3"),
    ]


@pytest.mark.parametrize("rule", ["address_forbidden", "http_forbidden", "url_forbidden"])
def test_an_address_that_may_not_be_called_is_abandoned_after_the_third_look_naming_the_rule(rule: str) -> None:
    assert told(row(), *[Answer(None, rule)] * 3) == [
        (State.PENDING, 60, rule),
        (State.PENDING, 540, f"{rule}/2"),
        (State.ABANDONED, None, f"{rule}/3"),
    ]
    # A name server that lied for a moment has not decided anything.
    states = [state for state, _, _ in told(row(), *[Answer(None, rule)] * 2, Answer(503), *[Answer(None, rule)] * 2)]
    assert states == [State.PENDING] * 5


def test_permanent_answers_of_one_class_count_together() -> None:
    assert [s for s, _, _ in told(row(), Answer(404), Answer(302), Answer(403))][-1] is State.ABANDONED
    mixed = told(row(), Answer(404), Answer(None, "address_forbidden"), Answer(None, "address_forbidden"))
    assert mixed[-1] == (State.ABANDONED, None, "address_forbidden/3")


def test_a_site_that_was_away_first_still_gets_its_three_tries() -> None:
    away = [Answer(None, "connect")] * 6
    for status, verdict in ((400, State.REFUSED), (404, State.ABANDONED)):
        states = [state for state, _, _ in told(row(), *away, *[Answer(status)] * 3)]
        assert states == [State.PENDING] * 8 + [verdict]


def test_only_permanent_answers_in_a_row_count() -> None:
    states = [state for state, _, _ in told(row(), Answer(404), Answer(404), Answer(502), Answer(404), Answer(404))]
    assert states == [State.PENDING] * 5


@pytest.mark.covers("line-106")
@pytest.mark.parametrize("status", [402, 406, 409, 418, 451])
def test_any_other_4xx_is_final(status: int) -> None:
    assert told(row(), Answer(status)) == [(State.ABANDONED, None, f"http_{status}")]


def test_a_try_that_would_come_too_late_becomes_the_moment_when_the_row_is_moot() -> None:
    soon = row(12, local_until=NOW + 60_000)
    assert after_answer(soon, Answer(500), NOW, middle).next_attempt_at == NOW + 60_000
    assert put_back(soon, NOW + 61_000, "timeout").next_attempt_at == NOW + 60_000


def test_a_row_that_was_not_sent_keeps_what_its_site_said_last() -> None:
    kept = row(3, last_error="http_404/2", last_status=404)
    for result in (put_back(kept, NOW, "timeout"), released(kept, NOW), moot(kept)):
        assert (result.status, result.error, result.attempt) == (404, "http_404/2", 3)
        assert not result.sent
    assert put_back(kept, NOW + 40_000, "timeout").next_attempt_at == NOW + 40_000
    assert released(kept, NOW).next_attempt_at == NOW
    assert moot(kept).state is State.MOOT


def test_a_row_that_was_never_called_tells_of_its_absent_site_and_keeps_all_of_its_tries() -> None:
    result = put_back(row(9), NOW + 1000, "url_forbidden")
    assert (result.status, result.error, result.sent) == (None, "url_forbidden", False)
    given = replace(row(9), sends=0, last_error=result.error)
    answered = after_answer(given, Answer(404), NOW, middle)
    assert (answered.error, answered.sent) == ("http_404", True), "the first answer that it got itself"
    failed = after_answer(given, Answer(503), NOW, middle)
    assert failed.next_attempt_at == NOW + 1000, "and the first wait, however often it was claimed"


def test_a_client_without_an_address_is_abandoned_by_name() -> None:
    result = without_address(row())
    assert (result.state, result.next_attempt_at, result.error) == (State.ABANDONED, None, "no_address_now")


@pytest.mark.parametrize(
    ("logout_uri", "store_id", "local_until", "born"),
    [
        ("https://shop.example/", "", NOW + 1, (State.PENDING, NOW)),
        ("https://shop.example/", STORE, NOW + 1, (State.PENDING, NOW)),
        ("", STORE, NOW + 1, (State.PENDING, None)),
        ("", "", NOW + 1, (State.NO_ADDRESS, None)),
        ("https://shop.example/", "", NOW, (State.MOOT, None)),
        ("", "", NOW - 1, (State.MOOT, None)),
    ],
)
def test_a_row_is_born_in_the_right_state(
    logout_uri: str, store_id: str, local_until: int, born: tuple[State, int | None]
) -> None:
    row = {"logout_uri": logout_uri, "store_id": store_id, "local_until": local_until}
    assert state_at_birth(kind="oidc", ended_at=NOW, **row) == born


def test_a_site_that_polls_is_never_called_and_its_row_waits_for_it():
    row = {"logout_uri": "https://wiki.example/out", "store_id": "", "ended_at": NOW}
    assert state_at_birth(kind="poll", local_until=NOW + DAY, **row) == (State.PENDING, None)
    assert state_at_birth(kind="poll", local_until=NOW, **row) == (State.MOOT, None)
