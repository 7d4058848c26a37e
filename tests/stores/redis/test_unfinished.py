"""What is unfinished is listed from sets of its own, however many sessions have ended; old data is gone through."""

import redis

from sso_server.core.notifications import State
from sso_server.core.policy import MINUTE
from sso_server.stores.redis import RedisStores
from tests.support.builders import NOW, a_report, a_result, ended, opened, registered, store_id


def unfinished(stores: RedisStores) -> list[str]:
    return [session.sid for session in stores.ledger.list_ended(100, unfinished_only=True)]


def looked_at(raw: redis.Redis) -> int:
    return int(raw.info("commandstats").get("cmdstat_hmget", {"calls": 0})["calls"])


def names(raw: redis.Redis, prefix: str, kind: str = "unfinished") -> set[str]:
    return {name for key in raw.scan_iter(f"{prefix}:{{b*}}:{kind}") for name in raw.zrange(key, 0, -1)}


def test_a_row_is_in_the_set_for_as_long_as_it_is_not_final(stores, raw, prefix):
    store = store_id()
    session = opened(stores)
    registered(stores, session, store_id=store, reports=True)
    registered(stores, session, "blog")
    stores.sessions.end(session.sid, "sign_out", NOW)
    shop, blog = f"{session.sid}/shop/{store}", f"{session.sid}/blog/"
    assert names(raw, prefix) == {shop, blog}
    rows = {row.client_id: row for row in stores.outbox.claim("w", NOW, 10, MINUTE)}
    assert names(raw, prefix) == {shop, blog}
    stores.outbox.record([a_result(rows["blog"], State.ABANDONED)], NOW)
    assert names(raw, prefix) == {shop}
    assert unfinished(stores) == [session.sid]
    stores.ledger.retry(session.sid, "blog", NOW)
    stores.check_ins.check_in(a_report(store, acks=(session.sid,)), NOW, 10)
    assert names(raw, prefix) == {blog}
    stores.ledger.abandon(session.sid, "", "admin", NOW)
    assert names(raw, prefix) == set()
    assert unfinished(stores) == []


def test_sessions_that_are_finished_are_not_looked_at(stores, raw):
    for n in range(30):
        session = ended(stores, NOW + n)
        stores.ledger.abandon(session.sid, "", "admin", NOW)
    waits = ended(stores, NOW)
    assert unfinished(stores) == [waits.sid]
    before = looked_at(raw)
    assert unfinished(stores) == [waits.sid]
    # The conditions' fields, then all of what meets them.
    assert looked_at(raw) - before == 2


def test_what_an_older_version_has_written_is_found(stores, raw, prefix):
    sessions = [ended(stores, NOW + n) for n in range(5)]
    done = ended(stores, NOW)
    stores.ledger.abandon(done.sid, "", "admin", NOW)
    raw.delete(*raw.scan_iter(f"{prefix}:*:unfinished"))
    assert unfinished(stores) == [session.sid for session in reversed(sessions)]
    assert raw.get(f"{prefix}:{{health}}:unfinished") == "1"
    assert len(names(raw, prefix)) == 5


def test_a_session_with_many_unfinished_rows_is_listed_once(stores):
    session = opened(stores)
    for n in range(250):
        registered(stores, session, f"site-{n}")
    stores.sessions.end(session.sid, "sign_out", NOW)
    other = ended(stores, NOW - 1)
    assert unfinished(stores) == [session.sid, other.sid]
