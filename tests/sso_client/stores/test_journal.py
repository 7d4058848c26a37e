"""Check-ins on every engine: the turn, what is told, what an answer does, and when the lease is stamped."""

from dataclasses import replace

import pytest

from sso_client import LocalStore
from sso_client.clock import Instant
from sso_client.records import CheckInAnswer, End, LocalSession
from sso_client.stores import SIDS_EVERY_MS, TOMBSTONE_MS, TURN_MS, Turn
from tests.support.sdk import MovedClock, a_session, new_sid

NOW = Instant(1_800_000_000_000, 5_000_000, "boot-one")
OK = CheckInAnswer((), False, "mark", 0, 60_000, 5000, 90_000, "epoch")


def after(ms: int, start: Instant = NOW) -> Instant:
    return start.earlier(-ms)


def opened(store: LocalStore, count: int = 1, **changes) -> list[LocalSession]:
    """Sessions that live, in the order of their sids."""
    made = sorted((replace(a_session(cookie_hash=f"h{n}"), **changes) for n in range(count)), key=lambda s: s.sid)
    for session in made:
        assert store.sessions.open(session, None)
    return made


def check_in(store: LocalStore, answer: CheckInAnswer = OK, sent: Instant = NOW, **gather):
    told = store.journal.gather(sent.wall_ms, gather.get("all_sids", False), gather.get("anew", False))
    return told, store.journal.apply(answer, told, sent)


def lease(store: LocalStore):
    return store.sessions.find("nobody", NOW.wall_ms)[1]


def test_a_store_that_never_checked_in_has_no_lease_and_no_epoch(store: LocalStore) -> None:
    found = lease(store)
    assert (found.stamp, found.lease_ms, found.grace_ms, found.report_ms, found.failure) == (None, 0, 0, 60_000, "")
    assert store.sessions.heard_epoch() is None


def test_one_request_has_the_turn_until_it_gives_it_back_or_dies(store: LocalStore) -> None:
    journal = store.journal
    assert journal.take_turn(NOW, 1000) is Turn.MINE
    assert journal.take_turn(after(TURN_MS - 1), 1000) is Turn.BUSY
    assert journal.take_turn(after(TURN_MS), 1000) is Turn.MINE
    journal.give_turn_back()
    assert journal.take_turn(after(TURN_MS + 1), 1000) is Turn.MINE


def test_a_turn_from_far_ahead_was_taken_before_a_reboot(store: LocalStore) -> None:
    assert store.journal.take_turn(after(60_000), 1000) is Turn.MINE
    assert store.journal.take_turn(NOW, 1000) is Turn.MINE


def test_after_a_failure_everybody_rests_longer_after_a_refusal(store: LocalStore) -> None:
    journal = store.journal
    assert journal.take_turn(NOW, 1000) is Turn.MINE
    journal.note_failure("unreachable", NOW)
    assert lease(store).failure == "unreachable"
    assert journal.take_turn(after(999), 1000, 60_000) is Turn.RESTING
    assert journal.take_turn(after(1000), 1000, 60_000) is Turn.MINE, "a failure gives the turn back"
    journal.note_failure("refused", NOW)
    assert journal.take_turn(after(59_999), 1000, 60_000) is Turn.RESTING
    assert journal.take_turn(after(60_000), 1000, 60_000) is Turn.MINE
    assert journal.take_turn(NOW.earlier(60_000), 1000) is Turn.MINE, "noted before a reboot"


def test_a_good_answer_stamps_the_lease_with_the_time_of_asking_and_gives_the_turn_back(store: LocalStore) -> None:
    store.journal.take_turn(NOW, 1000)
    store.journal.note_failure("unreachable", NOW)
    store.journal.take_turn(after(1000), 1000)
    told, applied = check_in(store, replace(OK, lag_ms=700), after(1000))
    assert told.sids == ()
    assert applied.confirmed
    found = lease(store)
    assert found.stamp == after(300)
    assert (found.lease_ms, found.grace_ms, found.report_ms, found.failure) == (60_000, 5000, 90_000, "")
    assert store.journal.take_turn(after(1001), 1000) is Turn.MINE
    assert store.sessions.heard_epoch() == "epoch"


def test_an_answer_with_more_to_come_ends_sessions_and_confirms_nobody(store: LocalStore) -> None:
    (session,) = opened(store)
    end = End(session.sid, "sign_out", 5)
    _, applied = check_in(store, replace(OK, ends=(end,), more=True))
    assert applied.ends == ((end, (replace(session, leased=True),)),)
    assert not applied.confirmed
    assert lease(store).stamp is None
    assert store.sessions.find(session.cookie_hash, NOW.wall_ms)[0] is None
    assert not store.sessions.open(replace(session, opened_at_ms=NOW.wall_ms + TOMBSTONE_MS - 1), None)


def test_what_was_applied_is_acknowledged_until_that_is_confirmed(store: LocalStore) -> None:
    known, unknown = new_sid(), new_sid()
    check_in(store, replace(OK, ends=(End(known, "sign_out", 5), End(unknown, "unknown_session", 5))))
    told = store.journal.gather(NOW.wall_ms, False)
    assert told.acks == (known,), "the centre keeps no row for a session that it doesn't know"
    assert store.journal.gather(NOW.wall_ms, False).acks == (known,), "nothing was confirmed yet"
    store.journal.apply(OK, told, NOW)
    assert store.journal.gather(NOW.wall_ms, False).acks == ()


def test_an_end_that_is_listed_again_is_acknowledged_again(store: LocalStore) -> None:
    end = End(new_sid(), "sign_out", 5)
    check_in(store, replace(OK, ends=(end,)))
    check_in(store, replace(OK, ends=(end,)))
    assert store.journal.gather(NOW.wall_ms, False).acks == (end.sid,)


def test_sign_outs_from_here_are_told_until_confirmed_the_oldest_first(store: LocalStore) -> None:
    sids = [new_sid() for _ in range(3)]
    for at, sid in zip((3000, 1000, 2000), sids, strict=True):
        store.sessions.tell_end(sid, at)
    store.sessions.tell_end(sids[1], 9000)
    told = store.journal.gather(NOW.wall_ms, False)
    assert told.ended == (sids[1], sids[2], sids[0])
    late = new_sid()
    store.sessions.tell_end(late, 4000)
    store.journal.apply(OK, told, NOW)
    assert store.journal.gather(NOW.wall_ms, False).ended == (late,), "it came after the question"
    assert store.journal.has_untold_ends()


def test_activity_is_told_once_whoever_waited_longest_first(store: LocalStore) -> None:
    sessions = opened(store, 3)
    for session, reported in zip(sessions, (30, 10, 20), strict=True):
        store.sessions.leave(session.cookie_hash)
        store.sessions.open(replace(session, served_at_ms=2000, reported_at_ms=reported), None)
    idle = replace(a_session(cookie_hash="idle"), served_at_ms=5, reported_at_ms=5)
    store.sessions.open(idle, None)
    told, _ = check_in(store)
    assert told.active == (sessions[1].sid, sessions[2].sid, sessions[0].sid)
    assert store.journal.gather(NOW.wall_ms, False).active == ()
    assert store.sessions.find(sessions[0].cookie_hash, NOW.wall_ms)[0].reported_at_ms == NOW.wall_ms


def test_activity_noted_by_a_clock_that_was_ahead_is_over_when_it_was_told(store: LocalStore) -> None:
    (session,) = opened(store, served_at_ms=NOW.wall_ms + 86_400_000)
    told, _ = check_in(store)
    assert told.active == (session.sid,)
    found, _ = store.sessions.find(session.cookie_hash, NOW.wall_ms)
    assert found.served_at_ms == found.reported_at_ms == NOW.wall_ms
    assert store.journal.gather(NOW.wall_ms, False).active == ()


def test_all_sessions_are_listed_at_first_then_every_ten_minutes_and_after_a_gap(store: LocalStore) -> None:
    sessions = opened(store, 3)
    store.sessions.open(replace(sessions[0], cookie_hash="second cookie"), None)
    store.sessions.open(replace(a_session(cookie_hash="foreign"), sid=None), None)
    store.sessions.open(replace(a_session(cookie_hash="lapsed"), until_ms=NOW.wall_ms), None)
    listed = tuple(session.sid for session in sessions)
    assert check_in(store)[0].sids == listed
    assert check_in(store)[0].sids is None
    assert check_in(store, sent=after(SIDS_EVERY_MS - 1))[0].sids is None
    assert check_in(store, sent=after(SIDS_EVERY_MS))[0].sids == listed
    assert check_in(store, all_sids=True)[0].sids == listed
    assert check_in(store, anew=True)[0].sids == listed


def test_listed_sessions_are_under_the_lease_from_then_on(store: LocalStore) -> None:
    (session,) = opened(store, leased=False)
    check_in(store)
    assert store.sessions.find(session.cookie_hash, NOW.wall_ms)[0].leased


@pytest.fixture
def short_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    for engine in ("sqlite", "redis"):
        monkeypatch.setattr(f"sso_client.stores.{engine}_journal.MAX_LIST", 3)


@pytest.mark.usefixtures("short_lists")
def test_a_long_list_goes_out_in_parts_and_confirms_when_all_were_answered(store: LocalStore) -> None:
    sids = [session.sid for session in opened(store, 7)]
    parts = []
    for confirmed in (False, False, True):
        told, applied = check_in(store)
        parts.append(told)
        assert applied.confirmed is confirmed
        assert (lease(store).stamp is not None) is confirmed
    assert [sid for part in parts for sid in part.sids] == sids
    assert [part.sids_from for part in parts] == ["", *(part.sids_end for part in parts[:-1])]
    assert parts[-1].sids_end == ""
    assert check_in(store)[0].sids is None


@pytest.mark.usefixtures("short_lists")
@pytest.mark.parametrize("how", ["all_sids", "anew"])
def test_a_gap_goes_on_with_a_list_begun_since_a_new_process_begins_its_own(how: str, store: LocalStore) -> None:
    opened(store, 7)
    first, _ = check_in(store, anew=True)
    again, _ = check_in(store, **{how: True})
    assert again.sids_from == ("" if how == "anew" else first.sids_end)


@pytest.mark.usefixtures("short_lists")
def test_parts_under_different_epochs_make_no_whole_list(store: LocalStore) -> None:
    opened(store, 5)
    check_in(store)
    _, applied = check_in(store, replace(OK, epoch="other"))
    assert not applied.confirmed
    told, applied = check_in(store, replace(OK, epoch="other"))
    assert told.sids_from == ""
    assert not applied.confirmed
    assert check_in(store, replace(OK, epoch="other"))[1].confirmed


@pytest.mark.usefixtures("short_lists")
def test_a_part_of_another_workers_list_makes_no_whole_one(store: LocalStore) -> None:
    opened(store, 5)
    first, _ = check_in(store)
    last = store.journal.gather(NOW.wall_ms, False)
    store.journal.gather(NOW.wall_ms, False, anew=True)  # another worker begins again
    assert not store.journal.apply(OK, last, NOW).confirmed
    assert store.journal.gather(NOW.wall_ms, False).sids_from == ""
    store.journal.apply(OK, first, NOW)
    assert store.journal.apply(OK, last, NOW).confirmed


def test_another_epoch_confirms_nobody_before_all_sessions_were_shown(store: LocalStore) -> None:
    (session,) = opened(store)
    check_in(store)
    stamp = lease(store).stamp
    told, applied = check_in(store, replace(OK, epoch="other"), after(1000))
    assert told.sids is None
    assert not applied.confirmed
    assert lease(store).stamp == stamp
    assert store.sessions.heard_epoch() == "other"
    told, applied = check_in(store, replace(OK, epoch="other"), after(2000))
    assert told.sids == (session.sid,)
    assert applied.confirmed
    assert lease(store).stamp == after(2000)


def test_a_session_redeemed_under_another_epoch_makes_the_list_due(store: LocalStore) -> None:
    (first,) = opened(store)
    assert check_in(store)[1].confirmed
    assert store.sessions.open(a_session(cookie_hash="same epoch"), None, "epoch")
    assert store.journal.gather(NOW.wall_ms, False).sids is None
    before = a_session(cookie_hash="before")
    assert store.sessions.open(before, None, None)
    told, applied = check_in(store)
    assert {first.sid, before.sid} <= set(told.sids)
    assert applied.confirmed


def test_the_mark_of_the_check_in_that_was_sent_last_stays(store: LocalStore, clock: MovedClock) -> None:
    assert store.journal.gather(NOW.wall_ms, False).mark is None
    told = store.journal.gather(NOW.wall_ms, False)
    store.journal.apply(replace(OK, mark="second"), told, after(500))
    store.journal.apply(replace(OK, mark="first"), told, NOW)
    assert store.journal.gather(NOW.wall_ms, False).mark == "second"
    store.journal.apply(replace(OK, mark="third"), told, after(501))
    assert store.journal.gather(NOW.wall_ms, False).mark == "third"


def test_an_older_answer_never_makes_the_lease_longer(store: LocalStore) -> None:
    told = store.journal.gather(NOW.wall_ms, False)
    store.journal.apply(OK, told, after(1000))
    store.journal.apply(OK, told, NOW)
    assert lease(store).stamp == NOW
