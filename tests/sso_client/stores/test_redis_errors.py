"""Redis' own: whose store it is, what goes wrong in our words, and what is never told."""

import logging
import os
import re
import secrets
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from sso_client import LocalStore, Settings, SettingsError, SSOError
from sso_client.clock import Instant
from sso_client.records import CheckInAnswer, End, Event, Tokens
from sso_client.settings import load_settings
from sso_client.stores import Turn
from sso_client.stores.redis import open_redis_store
from tests.support.local_stores import ISSUER, LocalPlace
from tests.support.sdk import MovedClock, a_session, wait_until
from tests.support.services import OwnRedis, running_redis

pytestmark = pytest.mark.redis

NOW = Instant(1_800_000_000_000, 5_000_000, "boot-one")
OK = CheckInAnswer((), False, "mark", 0, 60_000, 0, 60_000, "epoch")


def check_in(store: LocalStore, answer: CheckInAnswer = OK, sent: Instant = NOW, *, all_sids: bool = False):
    told = store.journal.gather(sent.wall_ms, all_sids)
    return told, store.journal.apply(answer, told, sent)


def stamp(store: LocalStore) -> Instant | None:
    return store.sessions.find("nobody", NOW.wall_ms)[1].stamp


def test_two_clients_and_two_centres_lie_apart_in_one_redis(redis_place: LocalPlace) -> None:
    clock = MovedClock()
    stores = [
        redis_place.open(),
        redis_place.open(client_id=redis_place.client_id + "-2"),
        open_redis_store(redis_place.url, issuer="https://other", client_id=redis_place.client_id, clock=clock),
        *(redis_place.open(client_id=f"{redis_place.client_id}{letter}") for letter in "{}"),
    ]
    assert len({store.store_id for store in stores}) == 5
    for store in stores:
        store.sessions.open(a_session(), None)
    stores[0].sessions.drop_lapsed(10**15)
    assert [store.sessions.find("hash", 2000)[0] is None for store in stores] == [True, False, False, False, False]
    for store in stores:
        store.close()


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("issuer", "https://other", "store_other_client"),
        ("client_id", "other", "store_other_client"),
        ("schema", "2", "store_newer"),
        ("schema", "x", "store_failed"),
    ],
)
def test_a_store_of_another_client_or_a_newer_version_is_refused(field, value, code, redis_place, raw) -> None:
    redis_place.open().close()
    (meta,) = [key for key in raw.scan_iter("*:meta", count=1000) if f":{redis_place.client_id}:" in key]
    raw.hset(meta, field, value)
    with pytest.raises(SSOError) as error:
        redis_place.open()
    assert error.value.code == code


def test_all_keys_of_a_store_share_one_slot(redis_store: LocalStore, redis_place: LocalPlace, raw) -> None:
    redis_store.sessions.open(a_session(), None, tokens=Tokens("access", 5))
    check_in(redis_store, replace(OK, ends=(End("sid", "sign_out", 5),)))
    redis_store.pages.keep("/", 5)
    keys = [key for key in raw.scan_iter("*", count=1000) if redis_place.client_id in key]
    assert len(keys) > 8
    assert len({key[: key.index("}") + 1] for key in keys if key.startswith("{sso:")}) == 1


def test_a_redis_that_is_away_is_a_named_error_and_goes_on_by_itself(own: OwnRedis) -> None:
    store = LocalPlace("redis", own.url, "shop").open()
    own.stop()
    with pytest.raises(SSOError, match="store_failed"):
        store.sessions.find("hash", 2000)
    with pytest.raises(SSOError, match="store_failed"):
        LocalPlace("redis", own.url, "shop").open()
    own.start()
    assert store.sessions.open(a_session(), None), "under its old name"
    store.close()


def test_a_redis_that_hangs_is_busy_after_two_seconds(own: OwnRedis) -> None:
    store = LocalPlace("redis", own.url, "shop").open()
    with redis.Redis.from_url(own.url) as raw:
        pid = raw.info("server")["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(SSOError, match="store_busy"):
            store.sessions.find("hash", 2000)
        assert time.monotonic() - began < 10
    finally:
        os.kill(pid, signal.SIGCONT)
    assert store.sessions.find("hash", 2000)[0] is None
    store.close()


def test_a_full_redis_opens_nothing_and_still_ends_sessions(own: OwnRedis) -> None:
    store = LocalPlace("redis", own.url, "shop").open()
    session, leaving, told = (a_session(cookie_hash=name) for name in ("one", "two", "three"))
    for each in (session, leaving, told):
        store.sessions.open(each, None, tokens=Tokens("access", 5, "refresh"))
    check_in(store)
    with redis.Redis.from_url(own.url) as raw:
        raw.config_set("maxmemory", "1")
        before = sorted(raw.keys())
        with pytest.raises(SSOError, match="store_not_writable"):
            store.sessions.open(a_session(cookie_hash="new"), "one", tokens=Tokens("access", 5))
        assert sorted(raw.keys()) == before
        assert store.sessions.find("one", 2000)[0] is not None, "half of nothing"
        assert len(store.inbox.end_by_sid(session.sid, "jti", NOW.wall_ms).sessions) == 1
        assert store.sessions.end_here("two", NOW.wall_ms, True) is not None
        at_work = store.sessions.find("three", 2000)[0]
        assert store.sessions.mark_served(at_work, 3000)
        assert store.tokens.take_renewal("three", NOW)
        assert store.tokens.keep_renewed("three", "refresh", Tokens("newer", 6, "second"))
        assert store.journal.take_turn(NOW, 1000) is Turn.MINE
        store.journal.note_failure("unreachable", NOW)
        assert check_in(store, sent=NOW.earlier(-1000))[1].confirmed
        later = NOW.earlier(-2000)
        _, applied = check_in(store, replace(OK, ends=(End(told.sid, "sign_out", 5),)), later)
        assert len(applied.ends[0][1]) == 1
        assert stamp(store) == later, "a site that only needs confirming goes on"
        raw.config_set("maxmemory", "0")
    late = replace(session, cookie_hash="late", opened_at_ms=NOW.wall_ms)
    assert not store.sessions.open(late, None), "its end was kept"
    store.close()


@pytest.mark.parametrize(
    ("name", "value"), [("min-replicas-to-write", "1"), ("replicaof", "127.0.0.1 1"), ("a failing disk", "")]
)
def test_a_redis_that_takes_no_writes_says_so_and_does_no_half_step(name, value, own: OwnRedis, tmp_path) -> None:
    place = LocalPlace("redis", own.url, "shop")
    store = place.open()
    session = a_session()
    store.sessions.open(session, None)
    told = store.journal.gather(NOW.wall_ms, True)
    with redis.Redis.from_url(own.url) as raw:
        if name == "replicaof":
            raw.execute_command("REPLICAOF", *value.split())
        elif value:
            raw.config_set(name, value)
        else:
            # A snapshot can't be put in the place of a folder; without snapshots Redis wouldn't mind.
            (tmp_path / "redis" / "dump.rdb").mkdir()
            raw.config_set("save", "3600 1")
            raw.bgsave()
            wait_until(lambda: raw.info("persistence")["rdb_last_bgsave_status"] == "err")
        for step in (
            lambda: store.inbox.end_by_sid(session.sid, "jti", 2000),
            lambda: store.journal.apply(OK, told, NOW),
            lambda: store.journal.take_turn(NOW, 1000),
            lambda: store.sessions.open(a_session(cookie_hash="new"), None),
        ):
            with pytest.raises(SSOError, match="store_not_writable"):
                step()
    store.close()


def test_nobody_reads_from_a_replica(own: OwnRedis) -> None:
    place = LocalPlace("redis", own.url, "shop")
    store = place.open()
    session = a_session()
    store.sessions.open(session, None)
    with redis.Redis.from_url(own.url) as raw:
        raw.execute_command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(SSOError, match="store_not_writable"):
            place.open()
        with pytest.raises(SSOError, match="store_not_writable"):
            store.inbox.end_by_sid(session.sid, "jti", 2000)
        with pytest.raises(SSOError, match="replica"):
            store.sessions.find(session.cookie_hash, 2000)  # on a new connection
        raw.execute_command("REPLICAOF", "NO", "ONE")
    assert store.inbox.end_by_sid(session.sid, "jti", 2000).sessions == (session,)
    store.close()


def test_a_user_with_the_documented_rights_can_do_every_step(own: OwnRedis, caplog: pytest.LogCaptureFixture) -> None:
    page = (Path(__file__).parents[3] / "docs/sdk-stores.md").read_text("utf-8")
    rights, keys, more = re.search(r"access lists needs `(.*?)` on `(.*?)`, and `(.*?)`", page).groups()
    with redis.Redis.from_url(own.url) as raw:
        raw.execute_command("ACL", "SETUSER", "shop", "on", ">word", "resetchannels", keys, *rights.split())
        place = LocalPlace("redis", own.url.replace("//", "//shop:word@"), "shop")
        store, session = place.open(), a_session()
        assert store.sessions.open(session, None, tokens=Tokens("access", 5, "refresh"))
        assert store.tokens.take_renewal(session.cookie_hash, NOW)
        assert check_in(store, replace(OK, ends=(End("other", "sign_out", 5),)))[1].confirmed
        assert store.journal.gather(NOW.wall_ms, True).acks == ("other",)
        assert store.inbox.end_by_sid(session.sid, "jti", 2000).sessions
        store.events.record(Event(1, "kind", "text"))
        assert store.pages.find(store.pages.keep("/", 5), 5) == "/"
        caplog.clear()
        raw.execute_command("ACL", "SETUSER", "shop", more)
        place.open().close()
        assert "nothing is kept on disk" in caplog.text
        raw.execute_command("ACL", "SETUSER", "shop", "-info")
        with pytest.raises(SSOError, match="store_not_writable"):
            place.open()
        with pytest.raises(SSOError, match="store_failed"):
            LocalPlace("redis", own.url.replace("//", "//shop:wrong@"), "shop").open()
    store.close()


def test_a_redis_that_may_forget_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running_redis(tmp_path, "--maxmemory-policy", "allkeys-lru") as url:
        with caplog.at_level(logging.WARNING):
            LocalPlace("redis", url, "shop").open().close()
        assert "maxmemory-policy is allkeys-lru" in caplog.text
        assert "appendonly is off, nothing is kept on disk" in caplog.text
    caplog.clear()
    (tmp_path / "two").mkdir()
    with running_redis(tmp_path / "two", "--appendonly", "yes") as url:
        LocalPlace("redis", url, "shop").open().close()
    assert caplog.text == ""


SECRET = "pass%2Fword-" + secrets.token_hex(4)


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:{secret}@127.0.0.1:1/0",
        "redis://user:{secret}@127.0.0.1:1/0?no_such_option=1",
        "redis://user:{secret}@127.0.0.1:{secret}/0",
        "redis://127.0.0.1:1/0?password={secret}",
        "redis://user:{secret}@{live}",
        "redis://user:{secret}#x@127.0.0.1:1/0",
        "redis://{secret}#@127.0.0.1:1/0",
        "redis://user:12/{secret}@127.0.0.1:1/0",
        "redis://user:{secret}\u2100@127.0.0.1:1/0",
        "redis://user:[{secret}@127.0.0.1:1/0",
        "rediss://127.0.0.1:1/0?ssl_cert_reqs={secret}",
        "redis://127.0.0.1:1/0?socket_timeout={secret}",
    ],
)
def test_the_password_in_the_address_is_never_told(url, redis_url, caplog: pytest.LogCaptureFixture) -> None:
    url = url.format(secret=SECRET, live=redis_url.removeprefix("redis://"))
    settings = Settings(ISSUER, "shop", "secret", store=url)
    with caplog.at_level(logging.DEBUG), pytest.raises(SSOError) as error:
        open_redis_store(url, issuer=ISSUER, client_id="shop", clock=MovedClock())
    said = f"{error.value} {error.value.detail} {settings!r} {caplog.text}"
    assert error.value.code == "store_failed"
    assert not any(part in said for part in (SECRET, SECRET.replace("%2F", "/")))


@pytest.mark.parametrize(
    "url",
    [
        "redis+x://me:{secret}@host/0",
        "redis://me:{secret}#x@host:6379/0",
        "redis://me:pa/{secret}@host:6379/0",
        "redis://me:12/{secret}@host:6379/0",
        "redis://{secret}#@host:6379/0",
        "redis://[{secret}@host/0",
        "redis://:{secret}\u2100@host/0",
        "redis://?password={secret}",
        "me:{secret}@host",
        "{secret}@host",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    secret = secrets.token_hex(6)
    given = {"issuer": ISSUER, "client_id": "shop", "client_secret": "s", "store": url.format(secret=secret)}
    with pytest.raises(SettingsError, match=r"SSO_STORE '(redis|[.]).*percent-encoded") as error:
        load_settings(given, {}, {})
    assert secret not in f"{error.value} {error.value.problems} {error.value!r}"
