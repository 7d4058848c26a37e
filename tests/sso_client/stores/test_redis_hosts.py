"""Redis' own: hosts that share everything but the lease, and a Redis that lost its last writes."""

import os
from dataclasses import replace

import pytest
import redis

from sso_client import LocalStore, SSOError
from sso_client.clock import Instant, now
from sso_client.lease import Lease
from sso_client.records import CheckInAnswer, Denied, End, Outgoing
from sso_client.stores import TOMBSTONE_MS, Turn
from tests.support.local_stores import LocalPlace
from tests.support.sdk import MovedClock, a_session
from tests.support.services import OwnRedis

pytestmark = pytest.mark.redis

NOW = Instant(1_800_000_000_000, 5_000_000, "boot-one")
OK = CheckInAnswer((), False, "mark", 0, 60_000, 0, 60_000, "epoch")
LEASED = Lease(NOW, 60_000, 0, 60_000, "")


def check_in(store: LocalStore, answer: CheckInAnswer = OK, sent: Instant = NOW, *, all_sids: bool = False):
    told = store.journal.gather(sent.wall_ms, all_sids)
    return told, store.journal.apply(answer, told, sent)


def stamp(store: LocalStore) -> Instant | None:
    return store.sessions.find("nobody", NOW.wall_ms)[1].stamp


@pytest.fixture
def hosts(redis_place: LocalPlace):
    """The store as two hosts open it; the second one's boot clock is another."""
    opened = [redis_place.open(MovedClock(boot=name)) for name in ("boot-one", "boot-two")]
    yield opened
    for store in opened:
        store.close()


@pytest.mark.covers("line-124")
def test_hosts_share_sessions_and_ends_and_each_has_a_lease_of_its_own(hosts) -> None:
    one, two = hosts
    assert one.store_id == two.store_id
    session = a_session()
    one.sessions.open(session, None)
    assert check_in(one)[1].confirmed
    found, lease = two.sessions.find(session.cookie_hash, 2000)
    assert found == replace(session, leased=True)
    assert (stamp(one), lease.stamp) == (NOW, None), "by another host's clock nobody is served"
    other = replace(NOW, boot_ms=77, boot_id="boot-two")
    told, _ = check_in(two, replace(OK, ends=(End(session.sid, "sign_out", 5),)), other)
    assert told.sids is None, "one list is enough for the store"
    assert (stamp(one), stamp(two)) == (NOW, other)
    assert one.sessions.find(session.cookie_hash, 2000)[0] is None
    assert one.journal.gather(NOW.wall_ms, False).acks == (session.sid,), "either host may acknowledge"


def test_turn_failure_and_mark_are_one_hosts(hosts) -> None:
    one, two = hosts
    at_two = replace(NOW, boot_id="boot-two")
    assert (one.journal.take_turn(NOW, 1000), two.journal.take_turn(at_two, 1000)) == (Turn.MINE, Turn.MINE)
    one.journal.note_failure("unreachable", NOW)
    assert one.journal.take_turn(NOW, 1000) is Turn.RESTING
    assert two.journal.take_turn(at_two, 1000) is Turn.BUSY
    assert [store.sessions.find("nobody", 1)[1].failure for store in hosts] == ["unreachable", ""]
    check_in(one)
    assert [store.journal.gather(NOW.wall_ms, False).mark for store in hosts] == ["mark", None]


@pytest.mark.parametrize("boot", ["unknown", ""])
def test_where_boots_have_no_name_each_process_has_a_lease_of_its_own(boot: str, redis_place: LocalPlace) -> None:
    one, two = (redis_place.open(MovedClock(boot=boot)) for _ in range(2))
    sent = replace(NOW, boot_id=boot)
    assert check_in(one, sent=sent)[1].confirmed
    assert (stamp(one), stamp(two)) == (sent, None)
    child = os.fork()
    if child == 0:
        os._exit(0 if stamp(one) is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "a forked worker is another process"
    one.close()
    two.close()


def test_the_lease_of_a_host_that_is_gone_is_forgotten(redis_store: LocalStore, redis_place, raw) -> None:
    check_in(redis_store)
    (key,) = [key for key in raw.scan_iter("*:host:boot-one", count=1000) if f":{redis_place.client_id}:" in key]
    assert 2 * 86_400_000 < raw.pttl(key) <= 3 * 86_400_000, "longer than any lease and grace"
    (meta,) = [key for key in raw.scan_iter("*:meta", count=1000) if f":{redis_place.client_id}:" in key]
    assert raw.pttl(meta) == -1


def test_after_a_restart_no_lease_is_stamped_before_all_sessions_were_shown(own: OwnRedis) -> None:
    store = LocalPlace("redis", own.url, "shop").open()
    gone, stays = a_session(cookie_hash="gone"), a_session(cookie_hash="stays")
    for session in (gone, stays):
        store.sessions.open(session, None)
    check_in(store)
    with redis.Redis.from_url(own.url) as raw:
        raw.save()
    # Acknowledged at once, so the centre won't say it again; then Redis loses it.
    check_in(store, replace(OK, ends=(End(gone.sid, "sign_out", 5),)), NOW.earlier(-20_000))
    assert store.journal.gather(NOW.wall_ms, False).acks == (gone.sid,)
    own.kill()
    own.start()
    found, lease = store.sessions.find("gone", 2000)
    assert found is not None, "Redis is back where it was"
    assert lease.stamp == NOW, "and so is the lease: from before the end, it runs out within N of it"
    told, applied = check_in(store, replace(OK, more=True), NOW.earlier(-40_000))
    assert told.sids == tuple(sorted((gone.sid, stays.sid)))
    unknown = replace(OK, ends=(End(gone.sid, "unknown_session", 5),))
    told, applied = check_in(store, unknown, NOW.earlier(-41_000), all_sids=True)
    assert applied.confirmed
    assert [store.sessions.find(name, 2000)[0] is None for name in ("gone", "stays")] == [True, False]
    store.close()


def test_an_answer_that_crosses_a_failover_confirms_nobody(own: OwnRedis) -> None:
    store = LocalPlace("redis", own.url, "shop").open()
    session = a_session()
    store.sessions.open(session, None)
    check_in(store)
    with redis.Redis.from_url(own.url) as raw:
        raw.save()
    store.inbox.end_by_sid(session.sid, "jti", 2000)  # answered with 200, then lost
    told = store.journal.gather(NOW.wall_ms, False)
    assert told.sids is None
    own.kill()
    own.start()
    assert not store.journal.apply(OK, told, NOW.earlier(-30_000)).confirmed
    assert store.sessions.find(session.cookie_hash, 2000)[1].stamp == NOW
    told = store.journal.gather(NOW.wall_ms, False)
    assert told.sids == (session.sid,)
    store.close()


def test_another_master_is_another_life_though_its_process_is_the_same(own: OwnRedis) -> None:
    store = LocalPlace("redis", own.url, "shop").open()
    check_in(store)
    assert store.journal.gather(NOW.wall_ms, False).sids is None
    with redis.Redis.from_url(own.url) as raw:
        raw.execute_command("REPLICAOF", "127.0.0.1", "1")
        raw.execute_command("REPLICAOF", "NO", "ONE")
    assert store.journal.gather(NOW.wall_ms, False).sids == ()
    store.close()


def test_an_emptied_redis_keeps_the_stores_name_while_somebody_works_with_it(own: OwnRedis) -> None:
    place = LocalPlace("redis", own.url, "shop")
    store = place.open()
    session = a_session()
    store.sessions.open(session, None)
    with redis.Redis.from_url(own.url) as raw:
        raw.flushall()
        assert store.sessions.find(session.cookie_hash, 2000)[0] is None
        newer = place.open()
        assert newer.store_id == store.store_id
        raw.flushall()
        third = place.open()
    assert third.store_id != store.store_id
    with pytest.raises(SSOError, match="begun anew by another process; restart"):
        store.journal.gather(NOW.wall_ms, False)
    for each in (store, newer, third):
        each.close()


def test_a_session_whose_index_redis_threw_away_is_not_served(redis_store: LocalStore, redis_place, raw) -> None:
    for index in ("sids", "subs"):
        session = a_session(cookie_hash=f"by {index}")
        redis_store.sessions.open(session, None)
        (key,) = [key for key in raw.scan_iter(f"*:{index}", count=1000) if f":{redis_place.client_id}:" in key]
        raw.delete(key)
        assert redis_store.sessions.find(session.cookie_hash, 2000)[0] is None, "nobody could end it"


def test_a_list_of_what_is_denied_that_redis_threw_away_lets_nobody_in(hosts, redis_place, raw) -> None:
    denied = replace(OK, denied=(Denied("sid-1", None, NOW.wall_ms + 1000),), denied_to=7)
    on_two = replace(NOW, boot_id="boot-two")
    for host, sent in zip(hosts, (NOW, on_two), strict=True):
        check_in(host, denied, sent)
        assert host.denied.find("sid-1", "jti", NOW.wall_ms)[:2] == (True, replace(LEASED, stamp=sent))
    (key,) = [key for key in raw.scan_iter("*:denied", count=1000) if f":{redis_place.client_id}:" in key]
    in_flight = hosts[0].journal.gather(NOW.wall_ms, False)
    raw.delete(key)
    assert [host.denied.find("sid-1", "jti", NOW.wall_ms)[1].stamp for host in hosts] == [None, None]
    assert not hosts[0].journal.apply(replace(OK, denied_to=9), in_flight, NOW).confirmed
    told, applied = check_in(hosts[0], replace(denied, more=True))
    assert (told.denied_from, applied.confirmed) == (None, False)
    assert hosts[1].denied.find("other", "jti", NOW.wall_ms)[1].stamp is None, "not before it is whole"
    assert check_in(hosts[0], denied)[1].confirmed
    assert [host.denied.find("sid-1", "jti", NOW.wall_ms)[0] for host in hosts] == [True, True]
    assert hosts[1].denied.find("other", "jti", NOW.wall_ms)[1].stamp == on_two


@pytest.mark.parametrize("minutes", [2, -2, 1440])
def test_a_host_whose_clock_is_wrong_forgets_nothing_for_the_others_and_is_served_no_longer_than_its_lease(
    minutes: int, redis_place: LocalPlace
) -> None:
    clock = MovedClock(boot="boot-two")
    right, wrong = redis_place.open(MovedClock()), redis_place.open(clock)
    sent = replace(now(clock), boot_id="boot-two")
    assert check_in(wrong, OK, sent)[1].confirmed
    session = a_session()
    right.sessions.open(session, None, "epoch")
    clock.wall_shift_ms = minutes * 60_000
    told = Outgoing(sent.wall_ms, None, (), (), (), None, "", "")
    steps = {
        "take its turn": lambda: wrong.journal.take_turn(now(clock), 0),
        "ask": lambda: wrong.journal.gather(clock.wall_ms(), False),
        "be confirmed": lambda: wrong.journal.apply(OK, told, now(clock)),
        "end": lambda: wrong.inbox.end_by_sid("sid", "jti", clock.wall_ms()),
        "end for a person": lambda: wrong.inbox.end_by_sub("sub", 1, "jti", clock.wall_ms()),
        "tell": lambda: wrong.sessions.tell_end("sid", clock.wall_ms()),
        "open": lambda: wrong.sessions.open(a_session(cookie_hash="late"), None),
        "drop": lambda: wrong.sessions.drop_lapsed(clock.wall_ms()),
    }
    for step in steps.values():
        with pytest.raises(SSOError, match="store_failed") as error:
            step()
        assert ("ahead of" if minutes > 0 else "behind") in error.value.detail
    assert wrong.sessions.find(session.cookie_hash, 2000)[1].stamp == sent
    assert wrong.sessions.end_here(session.cookie_hash, clock.wall_ms(), True), "whoever signs out is signed out"
    clock.wall_shift_ms = 0
    assert wrong.inbox.end_by_sid("sid", "jti", clock.wall_ms()).sessions == ()
    for store in (right, wrong):
        store.close()


def test_of_two_hosts_clocks_the_later_one_says_how_long_an_ended_sid_is_refused(hosts) -> None:
    session = a_session()
    wall = NOW.wall_ms
    hosts[0].inbox.end_by_sid(session.sid, "jti-1", wall)
    hosts[1].inbox.end_by_sid(session.sid, "jti-2", wall - TOMBSTONE_MS // 2)
    late = replace(session, opened_at_ms=wall + TOMBSTONE_MS - 1)
    assert not hosts[0].sessions.open(late, None)
    assert hosts[0].sessions.open(replace(late, opened_at_ms=wall + TOMBSTONE_MS), None)


def test_who_has_ended_leaves_no_activity_to_tell(hosts, redis_place: LocalPlace, raw: redis.Redis) -> None:
    session = replace(a_session(), served_at_ms=2000)
    hosts[0].sessions.open(session, None)
    (key,) = raw.scan_iter(f"*{redis_place.client_id}*:unreported", count=1000)
    assert raw.zcard(key) == 1
    hosts[0].inbox.end_by_sid(session.sid, "jti", 3000)
    assert raw.zcard(key) == 0
