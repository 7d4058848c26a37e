"""Several hosts of one site, a store restored from an older copy, a cloned store: each store speaks for itself."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sso_client import LeaseExpired, Settings, SSOClient, open_sqlite_store
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, Person, new_sid

FORM = "application/x-www-form-urlencoded"
Host = Callable[[Path], SSOClient]


@pytest.fixture
def host(settings: Settings, clock: MovedClock) -> Iterator[Host]:
    """Starts the site on a host with this store file; starting it again is a restart."""
    running: list[SSOClient] = []

    def start(path: Path) -> SSOClient:
        store = open_sqlite_store(path, issuer=settings.issuer, client_id=settings.client_id)
        running.append(SSOClient(settings, store, clock=clock))
        return running[-1]

    yield start
    for client in running:
        client.close()


def copy(source: Path, target: Path) -> None:
    """A consistent copy, as a backup makes it."""
    with sqlite3.connect(source) as old, sqlite3.connect(target) as new:
        old.backup(new)
    old.close()
    new.close()


def put_back(backup: Path, path: Path) -> None:
    for file in path.parent.glob(path.name + "*"):
        file.unlink()
    shutil.copy(backup, path)


def test_a_push_that_one_host_answered_leaves_the_others_row_for_its_own_check_in(
    host: Host, centre: FakeProvider, tmp_path: Path, clock: MovedClock
) -> None:
    one, two = host(tmp_path / "one.sqlite3"), host(tmp_path / "two.sqlite3")
    cookie, session = Person(two, centre).sign_in()
    assert two.find_session(cookie) is not None
    centre.end(session.sid)
    # The balancer sends the call for host two to host one: it says who it is, so the centre can't mistake it.
    answer = one.receive_logout(centre.logout_form(sid=session.sid), FORM)
    assert (answer.status, answer.headers["Lockstep-Store"]) == (200, one.store.store_id)
    assert one.store.store_id != two.store.store_id
    one.check_in()
    assert session.sid in centre.rows[two.store.store_id], "one host acknowledged for the other"
    clock.go(31)
    assert two.find_session(cookie) is None
    assert centre.rows[two.store.store_id] == {}


def test_a_person_signed_in_at_two_hosts_is_out_at_both_within_n_though_no_push_arrives(
    host: Host, centre: FakeProvider, tmp_path: Path, clock: MovedClock
) -> None:
    sid, hosts = new_sid(), [host(tmp_path / f"{name}.sqlite3") for name in ("one", "two")]
    cookies = [Person(each, centre).sign_in(sid=sid)[0] for each in hosts]
    assert all(each.find_session(cookie) for each, cookie in zip(hosts, cookies, strict=True))
    with centre.lock:
        row = {"sid": sid, "reason": "sign_out", "ended_at": 1}
        for each in hosts:
            centre.rows[each.store.store_id][sid] = row
    clock.go(61)
    assert [each.find_session(cookie) for each, cookie in zip(hosts, cookies, strict=True)] == [None, None]


def test_a_host_that_is_cut_off_stops_alone(host: Host, settings, centre: FakeProvider, tmp_path, clock) -> None:
    hosts = [host(tmp_path / f"{name}.sqlite3") for name in ("one", "two")]
    cookies = [Person(each, centre).sign_in()[0] for each in hosts]
    assert all(each.find_session(cookie) for each, cookie in zip(hosts, cookies, strict=True))
    answer = centre.check_in
    centre.check_in = lambda told: answer(told) if told["store"] == hosts[0].store.store_id else {}
    clock.go(61)
    assert hosts[0].find_session(cookies[0]) is not None
    with pytest.raises(LeaseExpired):
        hosts[1].find_session(cookies[1])


@pytest.mark.parametrize("later_s", [0, 31, 61, 3600])
def test_a_store_restored_from_an_older_copy_brings_nobody_back_beyond_n(
    later_s: int, host: Host, centre: FakeProvider, tmp_path: Path, clock: MovedClock
) -> None:
    centre.session_expires_in = 86_400
    path = tmp_path / "sso.sqlite3"
    before = host(path)
    cookie, session = Person(before, centre).sign_in()
    other, _ = Person(before, centre).sign_in()
    assert before.find_session(cookie) is not None
    copy(path, tmp_path / "backup")
    centre.end(session.sid)
    before.check_in()  # heard and acknowledged: the centre has no row any more
    assert centre.rows[before.store.store_id] == {}
    clock.go(later_s)
    before.close()
    put_back(tmp_path / "backup", path)
    restarted = host(path)
    if later_s == 0:
        # The lease in the copy is from before the end, so what it lets through is within N of the end anyway.
        assert restarted.find_session(cookie) is not None
        clock.go(31)  # the first renewal: there was no gap, but the process is new
    assert restarted.find_session(cookie) is None
    assert restarted.find_session(other) is not None


def test_a_restored_store_is_believed_only_when_its_whole_list_was_answered(
    host: Host, centre: FakeProvider, tmp_path: Path, clock: MovedClock
) -> None:
    path = tmp_path / "sso.sqlite3"
    before = host(path)
    cookie, session = Person(before, centre).sign_in()
    before.find_session(cookie)
    copy(path, tmp_path / "backup")
    centre.end(session.sid)
    before.check_in()
    before.close()
    put_back(tmp_path / "backup", path)
    restarted = host(path)
    centre.failing["/check-in"] = 503
    clock.go(45)
    assert restarted.find_session(cookie) is not None, "within N of the end"
    clock.go(16)
    with pytest.raises(LeaseExpired):
        restarted.find_session(cookie)
    centre.failing.clear()
    clock.go(2)
    assert restarted.find_session(cookie) is None


def test_a_clone_that_runs_beside_its_original_hears_at_its_next_full_list(
    host: Host, centre: FakeProvider, tmp_path: Path, clock: MovedClock
) -> None:
    """The documented limit: two live copies look like one store, so for the clone N doesn't hold. Ten minutes do."""
    original = host(tmp_path / "one.sqlite3")
    cookie, session = Person(original, centre).sign_in()
    original.find_session(cookie)
    copy(tmp_path / "one.sqlite3", tmp_path / "two.sqlite3")
    clone = host(tmp_path / "two.sqlite3")
    clone.check_in()
    assert clone.store.store_id == original.store.store_id
    centre.end(session.sid)
    original.check_in()
    heard_after = 0
    while clone.find_session(cookie) is not None:
        clock.go(31)
        heard_after += 31
        assert heard_after <= 11 * 60
    assert heard_after > 60


def test_a_clone_hears_at_its_start(host: Host, centre: FakeProvider, tmp_path: Path, clock: MovedClock) -> None:
    original = host(tmp_path / "one.sqlite3")
    cookie, session = Person(original, centre).sign_in()
    original.find_session(cookie)
    copy(tmp_path / "one.sqlite3", tmp_path / "two.sqlite3")
    centre.end(session.sid)
    original.check_in()
    clone = host(tmp_path / "two.sqlite3")
    clock.go(31)
    assert clone.find_session(cookie) is None


def test_somebody_who_signs_out_at_a_restored_store_confirms_nobody_before_it_was_listed(
    host: Host, centre: FakeProvider, tmp_path: Path, clock: MovedClock
) -> None:
    centre.session_expires_in = 86_400
    path = tmp_path / "sso.sqlite3"
    before = host(path)
    cookie, session = Person(before, centre).sign_in()
    leaving = [Person(before, centre).sign_in()[0] for _ in range(4)]
    assert before.find_session(cookie) is not None
    copy(path, tmp_path / "backup")
    centre.end(session.sid)
    before.check_in()
    before.close()
    put_back(tmp_path / "backup", path)
    restarted = host(path)
    for other in leaving:
        clock.go(20)
        restarted.sign_out(other)  # the only check-ins of the new process
    assert restarted.find_session(cookie) is None


def test_a_list_that_was_under_way_in_the_copy_is_begun_again(
    host: Host, centre: FakeProvider, tmp_path: Path, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("check_in", "stores.sqlite_journal"):
        monkeypatch.setattr(f"sso_client.{module}.MAX_LIST", 3)
    centre.session_expires_in, centre.epoch = 86_400, "0"
    path = tmp_path / "sso.sqlite3"
    first = host(path)
    people = sorted((Person(first, centre).sign_in() for _ in range(8)), key=lambda person: person[1].sid)
    (gone, ended), (stays, _) = people[0], people[-1]
    assert first.find_session(gone) is not None
    first.close()
    second, answer = host(path), centre.check_in

    def cut_after_one_part(told):
        centre.failing["/check-in"] = 503
        return answer(told)

    centre.check_in = cut_after_one_part
    clock.go(31)
    assert second.find_session(stays) is not None
    copy(path, tmp_path / "backup")
    centre.check_in = answer
    centre.failing.clear()
    centre.end(ended.sid)
    second.check_in()
    second.check_in()
    assert centre.rows[second.store.store_id] == {}
    second.close()
    put_back(tmp_path / "backup", path)
    restarted = host(path)
    clock.go(30)
    with suppress(LeaseExpired):
        restarted.find_session(stays)
    assert restarted.find_session(gone) is None


def test_a_sign_out_waits_for_one_answer_only(person: Person, client: SSOClient, centre: FakeProvider) -> None:
    cookie, session = person.sign_in()
    centre.more_rounds = 3
    before = len(centre.check_ins)
    assert client.sign_out(cookie).told
    assert [told["ended"] for told in centre.check_ins[before:]] == [[session.sid]], "the person waits for it"
