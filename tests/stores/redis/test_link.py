"""The link to one server: answers that belong to their calls, connections that are bounded, who may be used, and what
replicas have confirmed."""

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from sso_server.core.errors import Unavailable
from sso_server.stores.redis import RedisStores, servers
from sso_server.stores.redis.address import parse
from sso_server.stores.redis.exchange import ServerFailed, exchange
from sso_server.stores.redis.line import Line, connect
from sso_server.stores.redis.link import Link, command, step
from tests.stores.redis.story import NOW, new_session
from tests.support.deliveries import eventually
from tests.support.forks import in_processes
from tests.support.services import OwnRedis

pytestmark = pytest.mark.redis


def quick(own: OwnRedis, **others: object) -> Link:
    return Link(f"{own.url}?socket_timeout=1&socket_connect_timeout=1", **others)  # type: ignore[arg-type]


def put(link: Link, count: int = 9) -> None:
    for n in range(count):
        link.send(command("SET", f"key-{n}", f"value-{n}"))


def test_an_answer_that_comes_too_late_is_nobody_elses(own: OwnRedis) -> None:
    link = quick(own)
    put(link)
    own.pause()
    with pytest.raises(Unavailable):
        link.send_all([command("HGETALL", "none"), command("GET", "key-1")])
    own.resume()
    assert link.send(command("GET", "key-2")) == "value-2"
    assert link.send_all([command("GET", f"key-{n}") for n in range(9)]) == [f"value-{n}" for n in range(9)]
    link.close()


def test_ten_servers_that_hang_cost_no_more_than_one() -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(10)]
        batches = {}
        for number, listener in enumerate(silent):
            options = parse(f"redis://127.0.0.1:{listener.getsockname()[1]}?socket_timeout=1").options
            line = Line(connect(listener.getsockname(), options), 1, asks_who=False)
            batches[servers.Server(f"server-{number}", lambda line=line: line, 1, 1, 0)] = [("PING",)]
        began = time.monotonic()
        with pytest.raises(ServerFailed):
            exchange(batches, None)
        assert time.monotonic() - began < 8, "one after the other takes ten seconds"


def test_whoever_is_interrupted_leaves_no_answer_behind(own: OwnRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    link = Link(own.url)
    put(link)
    read = Line.read

    def interrupted(self, count):
        raise KeyboardInterrupt

    monkeypatch.setattr(Line, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        link.send(command("GET", "key-1"))
    monkeypatch.setattr(Line, "read", read)
    assert link.send(command("GET", "key-2")) == "value-2"
    link.close()


def test_an_error_in_the_middle_shifts_no_answer(own: OwnRedis) -> None:
    link = Link(own.url)
    put(link)
    with pytest.raises(Unavailable):
        link.send_all([command("GET", "key-1"), command("HGET", "key-2", "field"), command("GET", "key-3")])
    assert link.send_all([command("GET", "key-4"), command("GET", "key-5")]) == ["value-4", "value-5"]
    link.close()


def test_threads_share_a_few_connections_and_get_their_own_answers(own: OwnRedis, meddler: redis.Redis) -> None:
    link = Link(f"{own.url}?max_connections=3&timeout=10")
    put(link)
    connections_before = meddler.info("stats")["total_connections_received"]  # type: ignore[index]

    def work(n: int) -> bool:
        keys = [(n + i) % 9 for i in range(5)]
        return link.send_all([command("GET", f"key-{k}") for k in keys]) == [f"value-{k}" for k in keys]

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(work, range(600)))
    opened = meddler.info("stats")["total_connections_received"] - connections_before  # type: ignore[index]
    assert opened <= 2, "one was open before"
    link.close()


def test_forks_take_connections_of_their_own(own: OwnRedis) -> None:
    link = Link(own.url)
    put(link)

    def work() -> bool:
        keys = [n % 9 for n in range(300)]
        return all(link.send(command("GET", f"key-{k}")) == f"value-{k}" for k in keys)

    assert all(in_processes(work, work, work))
    assert work(), "the parent's own connection is whole"
    link.close()


def test_a_connection_that_was_idle_is_tried_first(own: OwnRedis, meddler: redis.Redis) -> None:
    link = Link(f"{own.url}?health_check_interval=1")
    put(link, 1)
    pings = meddler.info("commandstats").get("cmdstat_ping", {}).get("calls", 0)  # type: ignore[union-attr]
    server = link._topology.server  # type: ignore[attr-defined]
    link.send(command("GET", "key-0"))
    server._idle[0].used_at -= 2
    assert link.send(command("GET", "key-0")) == "value-0"
    assert meddler.info("commandstats")["cmdstat_ping"]["calls"] == pings + 1  # type: ignore[index]
    link.close()


def test_a_step_whose_script_is_forgotten_comes_after_what_it_relies_on(own: OwnRedis, meddler: redis.Redis) -> None:
    link = Link(own.url)
    index = step("index", "idx", NOW, NOW + 1000, "a")
    seen = step("rows", "bucket", "sid")
    link.send(seen)  # the server knows this one, and has never heard of the other
    with meddler.monitor() as watched:
        link.send_in_order([index, seen])
        names = [watched.next_command()["command"].split()[0] for _ in range(7)]
    scripts = [name for name in names if name.startswith("EVAL")]
    assert scripts[:2] == ["EVAL", "EVALSHA"]
    link.close()


def test_half_a_character_that_a_browser_sent_breaks_nothing(own: OwnRedis) -> None:
    link = Link(own.url)
    link.send(command("SET", "key", "half \ud83d"))
    assert link.send(command("GET", "key")) == "half ?"
    link.close()


# Who may be used.


def test_a_server_that_the_fence_refuses_gets_no_call(own: OwnRedis, meddler: redis.Redis) -> None:
    asked: list[str] = []
    stores = RedisStores.open(own.url, fence=lambda incarnation: bool(asked.append(incarnation)))
    with pytest.raises(Unavailable) as caught:
        stores.sessions.open(new_session(), NOW, 1)
    assert "not used before it is put right" in caught.value.detail
    assert meddler.keys("*") == []
    info = meddler.info()
    assert asked[0] == f"redis:{info['run_id']}:{info['master_replid']}"  # type: ignore[index]
    # Those that find out and put right may use it.
    assert stores.past.look().incarnation == asked[0]
    assert stores.unfenced().sessions.open(new_session(), NOW, 1) is not None
    assert stores.health.store_time() > 0
    stores.close()


def test_a_connection_to_a_life_that_is_over_is_opened_anew_and_asked_again(
    own: OwnRedis, meddler: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "_FRESH_S", 0.0)
    admitted: list[str] = []
    link = Link(own.url, fence=lambda incarnation: incarnation in admitted)

    def incarnation() -> str:
        info = meddler.info()
        return f"redis:{info['run_id']}:{info['master_replid']}"  # type: ignore[index]

    admitted.append(incarnation())
    put(link, 1)
    # A replica in between, and master again: the same process, no connection was cut.
    meddler.execute_command("REPLICAOF", "127.0.0.1", "1")
    meddler.execute_command("REPLICAOF", "NO", "ONE")
    assert link.send(command("GET", "key-0")) == "value-0", "nobody has found it out yet"
    admitted[:] = [incarnation()]
    assert link.send(command("GET", "key-0")) == "value-0"
    admitted.clear()
    with pytest.raises(Unavailable):
        link.send(command("GET", "key-0"))
    link.close()


def test_a_server_that_forbids_info_is_somebody_without_a_name(own: OwnRedis, meddler: redis.Redis) -> None:
    meddler.execute_command("ACL", "SETUSER", "mute", "on", ">pw", "~*", "+@all", "-info")
    asked: list[str] = []
    link = Link(own.url.replace("redis://", "redis://mute:pw@"), fence=lambda one: bool(asked.append(one)))
    with pytest.raises(Unavailable):
        put(link, 1)
    assert set(asked) == {""}, "and whether such a one may be used the fence says"
    link.close()


def test_a_server_that_is_too_busy_to_say_who_it_is_is_not_used_unasked(own: OwnRedis, meddler: redis.Redis) -> None:
    meddler.config_set("busy-reply-threshold", 20)
    link = Link(own.url, fence=lambda _: False)
    busy = "local t = redis.call('TIME') while redis.call('TIME')[1] - t[1] < 2 do end"
    script = threading.Thread(target=lambda: meddler.eval(busy, 0))
    script.start()
    try:
        while script.is_alive():
            with pytest.raises(Unavailable):
                put(link, 1)
    finally:
        script.join()
    with pytest.raises(Unavailable):
        put(link, 1)
    link.close()


def test_what_goes_through_one_life_of_a_server_stops_with_it(own: OwnRedis) -> None:
    link = Link(own.url)
    (master,) = link.masters()
    walk = master.of_one_life()
    assert walk.send(command("SCAN", 0))[0] == "0"
    own.kill()
    own.start()
    with pytest.raises(Unavailable):
        eventually(lambda: walk.send(command("SCAN", 0)) is None)
    assert link.send(command("SCAN", 0))[0] == "0"
    link.close()


# What replicas have confirmed.


# Passwords.


@pytest.mark.parametrize(
    "form", ["redis://{}@127.0.0.1:{}/0", "redis+sentinel://{}@127.0.0.1:{}/s", "redis+cluster://{}@127.0.0.1:{}"]
)
def test_no_password_stands_in_an_outage(form: str, own: OwnRedis) -> None:
    for port in (1, own.port):
        stores = RedisStores.open(form.format("user:hunter2", port))
        with pytest.raises(Unavailable) as caught:
            stores.health.store_time()
        assert "hunter2" not in caught.value.detail + caught.value.description
        assert caught.value.detail.startswith("Redis: ")
        stores.close()


def test_only_so_many_wait_and_the_rest_is_unavailable(own: OwnRedis) -> None:
    link = Link(f"{own.url}?max_connections=2&timeout=0.2")
    put(link)
    server = link._topology.server  # type: ignore[attr-defined]
    held = [server.take(None), server.take(None)]
    with pytest.raises(Unavailable) as caught:
        link.send(command("GET", "key-1"))
    assert "all 2 connections are in use" in caught.value.detail
    server._wait_s = 20
    late = threading.Timer(0.05, server.give_back, [held.pop()])
    late.start()
    assert link.send(command("GET", "key-1")) == "value-1"
    late.join()
    server.drop(held.pop())
    link.close()


def test_who_is_refused_by_the_fence_uses_up_no_connection(own: OwnRedis) -> None:
    admitted: list[str] = []
    link = Link(f"{own.url}?max_connections=2&timeout=0.1", fence=lambda _: bool(admitted))
    for _ in range(5):
        with pytest.raises(Unavailable, match="cannot answer right now") as refused:
            put(link, 1)
        assert "connections are in use" not in refused.value.detail
    admitted.append("all")
    put(link, 1)
    link.close()


def test_a_server_that_cannot_be_reached_costs_the_others_no_connection(own: OwnRedis) -> None:
    def fail() -> Line:
        raise ConnectionRefusedError

    options = parse(own.url).options
    good = servers.Server("a", lambda: Line(connect(("127.0.0.1", own.port), options), 1.0), 2, 0.1, 0)
    bad = servers.Server("b", fail, 2, 0.1, 0)
    for _ in range(5):
        with pytest.raises(ServerFailed) as failed:
            exchange({good: [("PING",)], bad: [("PING",)]}, None)
        assert failed.value.server is bad
    assert exchange({good: [("PING",)]}, None) == {good: ["PONG"]}
    good.distrust()


def test_a_connection_that_is_out_while_its_server_fails_is_not_used_again(own: OwnRedis) -> None:
    options = parse(own.url).options
    server = servers.Server("a", lambda: Line(connect(("127.0.0.1", own.port), options), 1.0), 2, 0.1, 0)
    out = server.take(None)
    server.distrust()
    server.give_back(out)
    again = server.take(None)
    assert again is not out
    server.give_back(again)
    assert server.take(None) is again, "one that was opened since is"
    again.close()
