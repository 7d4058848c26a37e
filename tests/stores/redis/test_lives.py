"""What expires by itself, and when; and that nothing about a session does."""

import pytest

from sso_server.core.guesses import Limit
from sso_server.core.policy import DAY, HOUR, MINUTE, SECOND
from tests.stores.redis.story import NOW, new_redemption, new_report, new_session, new_ticket


@pytest.fixture
def life(raw, prefix):
    """How long the only key of this kind still has, in ms; negative: for ever."""

    def of(kind: str, name: str = "*") -> int:
        (key,) = raw.keys(f"{prefix}:*:{kind}:{name}" if name else f"{prefix}:*:{kind}")
        return raw.pttl(key)

    return of


def about(ms: int) -> object:
    return pytest.approx(ms, abs=30 * SECOND)


def test_a_ticket_is_kept_ten_minutes_past_its_end_spent_or_not(stores, life):
    session = new_session()
    stores.sessions.open(session, NOW, MINUTE)
    ticket = new_ticket(session)
    stores.tickets.put(ticket)
    assert life("ticket") == about(11 * MINUTE)
    stores.tickets.redeem(new_redemption(ticket), NOW)
    assert life("ticket") == about(11 * MINUTE)


def test_a_token_is_kept_ten_minutes_past_its_end_and_its_grant_as_long_as_the_longest(stores, life):
    session = new_session()
    stores.sessions.open(session, NOW, MINUTE)
    ticket = new_ticket(session)
    stores.tickets.put(ticket)
    redemption = new_redemption(ticket)
    stores.tickets.redeem(redemption, NOW)
    assert life("token", redemption.access.token_hash) == about(15 * MINUTE)
    # Cut to the session's absolute end.
    assert life("token", redemption.refresh.token_hash) == about(DAY + 10 * MINUTE)
    assert life("grant") == about(DAY + 10 * MINUTE)


@pytest.mark.parametrize(("changes", "days"), [({"refreshable": False}, 1), ({}, 40), ({"offline": True}, 400)])
def test_a_persons_index_names_a_grant_before_its_ticket_is_given_out_for_longer_than_it_may_live(
    stores, life, raw, prefix, changes, days
):
    ticket = new_ticket(new_session(), **changes)
    stores.tickets.put(ticket)
    index = f"{prefix}:{{u:usr-alice}}:grants"
    assert raw.zrange(index, 0, -1, withscores=True) == [(f"17/{ticket.ticket_hash}", NOW + MINUTE + days * DAY)]
    assert life("grants", "") == about(MINUTE + days * DAY)


def test_lives_are_counted_from_the_callers_now_so_that_a_clock_that_is_off_shortens_none(stores, life):
    long_ago = new_ticket(new_session(), issued_at=1000, expires_at=1000 + MINUTE)
    stores.tickets.put(long_ago)
    assert life("ticket") == about(11 * MINUTE)


def test_a_counter_of_guesses_is_forgotten_with_its_last_attempt(stores, life):
    stores.guesses.begin([Limit("u:alice", 5, SECOND, MINUTE, 3 * HOUR)], NOW)
    assert life("guess", "") == about(3 * HOUR)


def test_a_persons_index_outlives_the_longest_session_whatever_comes_later(stores, life):
    stores.sessions.open(new_session(1, absolute_until=NOW + 30 * DAY), NOW, MINUTE)
    stores.sessions.open(new_session(2), NOW, MINUTE)
    assert life("sessions", "") == about(70 * DAY)


def test_a_renewed_session_is_in_the_index_for_as_long_as_it_may_now_live(stores, raw, prefix):
    first = new_session(1)
    stores.sessions.open(first, NOW, MINUTE)
    longer = new_session(1, browser_hash=first.browser_hash, absolute_until=NOW + 30 * DAY, remembered=True)
    assert stores.sessions.open(longer, NOW, MINUTE).renewed
    assert raw.zscore(f"{prefix}:{{u:usr-alice}}:sessions", first.sid) == NOW + 70 * DAY
    # A sign-in a month later clears the index of what is of no use any more, and of nothing else.
    stores.sessions.open(new_session(2, absolute_until=NOW + 30 * DAY), NOW + 29 * DAY, MINUTE)
    assert first.sid in [session.sid for session in stores.lists.list_live(NOW + 29 * DAY, 10, user_id="usr-alice")]


def test_nothing_of_a_session_or_the_ledger_expires_by_itself(stores, raw, prefix):
    session = new_session()
    stores.sessions.open(session, NOW, MINUTE)
    ticket = new_ticket(session)
    stores.tickets.put(ticket)
    stores.tickets.redeem(new_redemption(ticket), NOW)
    stores.check_ins.check_in(new_report(), NOW, 10)
    stores.sessions.end(session.sid, "sign_out", NOW)
    kinds = {"session", "sites", "cookie", "ended", "purge", "rows", "row", "outbox", "unacked", "unfinished"}
    kept = {key.split("}:")[1].split(":")[0] for key in raw.keys(f"{prefix}:*") if raw.pttl(key) == -1}
    assert kept == kinds


def test_a_ticket_without_tokens_leaves_no_grant_and_its_row_waits_for_nobody_s_question(stores, raw, prefix):
    """A CAS site: it can't poll, and has nothing that a grant could be asked for."""
    session = new_session()
    stores.sessions.open(session, NOW, MINUTE)
    ticket = new_ticket(session)
    stores.tickets.put(ticket)
    text = "ST-17-" + "a" * 32
    stores.tickets.redeem(new_redemption(ticket, text, kind="cas", access=None, refresh=None, reports=False), NOW)
    stores.sessions.end(session.sid, "sign_out", NOW)
    (row,) = stores.ledger.of_session(session.sid)
    assert row.ticket == text
    assert raw.keys(f"{prefix}:*:grant:*") == raw.keys(f"{prefix}:*:unacked:*") == []
