"""A centre that went back in time says so by another epoch: nobody is confirmed before it was shown every session."""

import json
import threading
from contextlib import suppress

import pytest

from sso_client import LeaseExpired, LocalSession, LocalStore, SSOClient, SSOError
from sso_client.check_in import read_check_in
from sso_client.clock import now
from sso_client.driving import drive
from sso_client.lease import Standing, judge
from sso_client.stores import MAX_LIST
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, Person, new_sid


@pytest.fixture
def served(person: Person, client: SSOClient, centre: FakeProvider) -> tuple[str, LocalSession]:
    """A session whose store has a fresh lease under the first epoch."""
    centre.epoch = "0"
    cookie, session = person.sign_in()
    assert client.find_session(cookie) is not None
    return cookie, session


def crowd(store: LocalStore, centre: FakeProvider, cookie_hash: str, size: int) -> None:
    """More sessions, by direct writing: signing in that many people would take minutes."""
    with store.sessions._file.write() as file:
        file.executemany(
            "INSERT INTO sessions SELECT ?, ?, sub, '', id_token_iat, claims, asked, 1, opened_at_ms, until_ms,"
            " served_at_ms, reported_at_ms, leased, site_user FROM sessions WHERE cookie_hash = ?",
            [(f"hash{number}", new_sid(), cookie_hash) for number in range(size)],
        )
        centre.stores |= dict.fromkeys((row[0] for row in file.execute("SELECT sid FROM sessions")), store.store_id)


def is_confirmed(client: SSOClient, cookie_hash: str, clock: MovedClock) -> bool:
    _, lease = client.store.sessions.find(cookie_hash, clock.wall_ms())
    return judge(lease, now(clock)) is Standing.FRESH


def test_under_the_same_epoch_nothing_is_listed_again(served, client, centre: FakeProvider, clock: MovedClock) -> None:
    before = len(centre.check_ins)
    for _ in range(3):
        clock.go(31)
        assert client.find_session(served[0]) is not None
    assert [told for told in centre.check_ins[before:] if "sids" in told] == []


@pytest.mark.parametrize("epochs", [("0", "1"), ("0", None), (None, "0"), ("1", "0")])
def test_another_epoch_is_shown_every_session_before_the_lease_is_stamped(
    epochs, served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.epoch = epochs[0]
    client.check_in()
    centre.epoch = epochs[1]
    before = len(centre.check_ins)
    clock.go(31)
    assert client.find_session(served[0]) is not None
    assert [told.get("sids") for told in centre.check_ins[before:]] == [None, [served[1].sid]]
    assert is_confirmed(client, served[1].cookie_hash, clock)


def test_whom_the_centre_forgot_is_out_with_the_first_answer_of_the_new_epoch(
    served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.stores.clear()  # it knows the session no more, and has no row to tell it by
    centre.epoch = "1"
    clock.go(31)
    assert client.find_session(served[0]) is None


def test_an_answer_without_the_list_stamps_nothing_under_a_new_epoch(
    served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.epoch = "1"
    answer = centre.check_in

    def cut_after_the_first(told):
        reply = answer(told)
        centre.failing["/check-in"] = "hang up"
        return reply

    centre.check_in = cut_after_the_first
    clock.go(31)
    assert client.find_session(served[0]) is not None, "the lease granted before still holds"
    assert not is_confirmed(client, served[1].cookie_hash, clock)
    clock.go(30)
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])
    centre.check_in = answer
    centre.failing.clear()
    clock.go(2)
    assert client.find_session(served[0]) is not None


def test_a_list_in_parts_must_be_whole_before_anybody_is_confirmed(
    served, client: SSOClient, centre: FakeProvider, store: LocalStore, clock: MovedClock
) -> None:
    crowd(store, centre, served[1].cookie_hash, 2 * MAX_LIST)
    centre.epoch = "1"
    answer, confirmed = centre.check_in, []

    def look(told):
        confirmed.append(is_confirmed(client, served[1].cookie_hash, clock))
        return answer(told)

    centre.check_in = look
    clock.go(31)
    before = len(centre.check_ins)
    for _ in range(5):  # on a busy machine one call may run out of its time: the next one goes on
        client.find_session(served[0])
        if is_confirmed(client, served[1].cookie_hash, clock):
            break
        clock.go(5.1)
    parts = [told["sids"] for told in centre.check_ins[before:] if told.get("sids")]
    assert sum(len(part) for part in parts) >= 2 * MAX_LIST + 1
    assert len({sid for part in parts for sid in part}) == 2 * MAX_LIST + 1
    assert confirmed == [False] * len(confirmed)
    assert is_confirmed(client, served[1].cookie_hash, clock)


def test_a_list_that_is_cut_off_goes_on_at_the_next_call(
    served, client: SSOClient, centre: FakeProvider, store: LocalStore, clock: MovedClock
) -> None:
    crowd(store, centre, served[1].cookie_hash, 2 * MAX_LIST)
    centre.epoch = "1"
    answer = centre.check_in

    def cut_after_one_part(told):
        reply = answer(told)
        if told.get("sids"):
            centre.failing["/check-in"] = 503
        return reply

    centre.check_in = cut_after_one_part
    before = len(centre.check_ins)
    for _ in range(3):
        centre.failing.clear()
        with suppress(SSOError):
            drive(client.core._check_in.run(total_s=20))
    parts = [told["sids"] for told in centre.check_ins[before:] if told.get("sids")]
    assert [len(part) for part in parts] == [MAX_LIST, MAX_LIST, 1]
    assert is_confirmed(client, served[1].cookie_hash, clock)


def test_parts_answered_under_different_epochs_are_no_whole_list(
    served, client: SSOClient, centre: FakeProvider, store: LocalStore, clock: MovedClock
) -> None:
    crowd(store, centre, served[1].cookie_hash, MAX_LIST)
    centre.epoch = "1"
    answer, shown = centre.check_in, []

    def go_back_again_after_the_first_part(told):
        shown.append((centre.epoch, len(told.get("sids", ()))))
        reply = answer(told)
        if told.get("sids"):
            centre.epoch = "2"
        return reply

    centre.check_in = go_back_again_after_the_first_part
    clock.go(31)
    drive(client.core._check_in.run(total_s=20))
    assert shown == [("1", 0), ("1", MAX_LIST), ("2", 1), ("2", MAX_LIST), ("2", 1)]
    assert is_confirmed(client, served[1].cookie_hash, clock)


def test_a_late_answer_of_the_old_epoch_does_not_undo_or_confirm_anything(
    served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    journal, old = client.store.journal, now(clock)
    told = journal.gather(old.wall_ms, False)
    late = read_check_in(centre.check_in({"store": client.store.store_id, "acks": [], "ended": []}))
    centre.epoch = "1"
    clock.go(31)
    client.find_session(served[0])
    assert journal.apply(late, told, old).confirmed is False
    assert client.check_in().confirmed


def test_an_answer_that_was_overtaken_does_not_put_back_an_older_mark(
    served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    journal, sent = client.store.journal, now(clock)
    told = journal.gather(sent.wall_ms, False)
    late = read_check_in(centre.check_in({"store": client.store.store_id, "acks": [], "ended": []}))
    clock.go(2)
    client.check_in()
    newest = journal.gather(sent.wall_ms, False).mark
    journal.apply(late, told, sent)
    assert journal.gather(sent.wall_ms, False).mark == newest != late.mark
    clock.boot, clock.boot_shift_ms = "boot-two", clock.boot_shift_ms - 5000
    client.check_in()
    assert journal.gather(sent.wall_ms, False).mark == f"mark-{len(centre.check_ins)}", "another boot counts anew"
    clock.boot_shift_ms -= 60_000
    client.check_in()
    assert journal.gather(sent.wall_ms, False).mark == f"mark-{len(centre.check_ins)}", "also one without a name"


@pytest.mark.parametrize("epoch", ["0", None])
def test_a_session_from_before_the_centre_went_back_is_listed_though_it_was_opened_after_the_list(
    epoch: str | None, person: Person, served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    if epoch is None:  # a store that has not heard of any yet
        with client.store.sessions._file.write() as file:
            file.execute("UPDATE lease SET epoch = NULL, list_epoch = NULL")
    url, attempt = client.login_url("/")
    sign_in = client.validate_ticket(centre.issue_ticket(url, sid=new_sid()), attempt)
    del centre.stores[sign_in.sid]  # the centre goes back to before this sign-in ...
    centre.epoch = "1"
    assert client.check_in().confirmed
    cookie, _ = client.open_session(sign_in)  # ... and the list was shown without it
    clock.go(31)
    client.find_session(served[0])
    assert client.find_session(cookie) is None


def test_a_sign_in_under_the_epoch_that_was_heard_last_begins_no_list(
    person: Person, served, client: SSOClient, centre: FakeProvider, store: LocalStore, clock: MovedClock
) -> None:
    before = len(centre.check_ins)
    cookie, _ = person.sign_in()
    clock.go(31)
    assert client.find_session(cookie) is not None
    crowd(store, centre, served[1].cookie_hash, MAX_LIST)
    centre.epoch = "1"
    journal, sent = store.journal, now(clock)
    answer = read_check_in(centre.check_in({"store": store.store_id, "acks": [], "ended": []}))
    first = journal.gather(sent.wall_ms, True)
    journal.apply(answer, first, sent)
    person.sign_in()  # while the list is under way
    assert journal.gather(sent.wall_ms, False).sids_from == first.sids_end
    assert [told for told in centre.check_ins[before:] if "sids" in told] == []


def test_two_workers_that_list_at_once_both_end_with_a_whole_list(
    served, settings, client: SSOClient, centre: FakeProvider, store: LocalStore, clock: MovedClock
) -> None:
    crowd(store, centre, served[1].cookie_hash, MAX_LIST)
    centre.epoch = "1"
    other = SSOClient(settings, store, clock=clock)
    workers = [
        threading.Thread(target=lambda each=each: drive(each.core._check_in.run(total_s=30)))
        for each in (client, other)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    other.close()
    assert drive(client.core._check_in.run(total_s=20)).confirmed
    assert is_confirmed(client, served[1].cookie_hash, clock)
    assert {sid for told in centre.check_ins for sid in told.get("sids", ())} == set(centre.stores)


def test_a_centre_that_mends_itself_is_unreachable_not_gone(
    served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.failing["/check-in"] = 503
    clock.go(31)
    assert client.find_session(served[0]) is not None
    clock.go(30)
    with pytest.raises(LeaseExpired, match="unreachable"):
        client.find_session(served[0])
    centre.failing.clear()
    centre.epoch = "1"
    clock.go(2)
    assert client.find_session(served[0]) is not None


@pytest.mark.parametrize("epoch", [1, None, ["1"], "x" * 65])
def test_an_epoch_that_cannot_be_is_refused(epoch, client: SSOClient, centre: FakeProvider) -> None:
    centre.check_in_changes = {"epoch": epoch}
    with pytest.raises(SSOError, match="check_in_malformed"):
        client.check_in()


def test_the_answer_of_an_older_centre_has_the_empty_epoch(centre: FakeProvider) -> None:
    answer = centre.check_in({"store": "st", "acks": [], "ended": []})
    assert "epoch" not in json.dumps(answer)
    assert read_check_in(answer).epoch == ""


def test_a_list_that_takes_longer_than_a_renewal_is_no_outage_and_goes_on_with_the_next_request(
    served, client: SSOClient, centre: FakeProvider, store: LocalStore, clock: MovedClock
) -> None:
    crowd(store, centre, served[1].cookie_hash, 3 * MAX_LIST)
    centre.epoch, centre.grace_s = "1", 600
    centre.failing["/check-in"] = 0.7  # not all parts fit into a renewal
    before = len(centre.check_ins)
    clock.go(31)
    while not is_confirmed(client, served[1].cookie_hash, clock):
        assert client.find_session(served[0]) is not None
        _, lease = store.sessions.find(served[1].cookie_hash, clock.wall_ms())
        assert lease.failure == ""
        assert len(centre.check_ins) < before + 15
    sizes = [len(told.get("sids", ())) for told in centre.check_ins[before:]]
    assert sizes.count(1) >= 1
    assert len({sid for told in centre.check_ins[before:] for sid in told.get("sids", ())}) == 3 * MAX_LIST + 1


def test_a_part_that_does_not_begin_where_the_last_one_ended_makes_no_whole_list(
    served, client: SSOClient, centre: FakeProvider, store: LocalStore, clock: MovedClock
) -> None:
    crowd(store, centre, served[1].cookie_hash, 2 * MAX_LIST)
    journal, sent = store.journal, now(clock)
    answer = read_check_in(centre.check_in({"store": store.store_id, "acks": [], "ended": []}))
    first = journal.gather(sent.wall_ms, True)
    journal.apply(answer, first, sent)
    second = journal.gather(sent.wall_ms, False)
    journal.apply(answer, second, sent)
    last = journal.gather(sent.wall_ms, False)
    assert (first.sids_from, second.sids_from, last.sids_from) == ("", first.sids_end, second.sids_end)
    journal.apply(answer, first, sent)  # another worker's list, begun again: its second part isn't answered yet
    assert not journal.apply(answer, last, sent).confirmed
    journal.apply(answer, second, sent)
    assert journal.apply(answer, last, sent).confirmed
