"""The link to a service under Sentinel: who the master is is asked whenever a connection is opened."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from sso_server.core.errors import Unavailable
from sso_server.stores.redis import RedisStores
from sso_server.stores.redis.link import Link, command
from tests.stores.redis.story import NOW, Story, new_session
from tests.support.deliveries import eventually
from tests.support.sentinel import SentinelSet, running_sentinel

pytestmark = [pytest.mark.redis, pytest.mark.engines]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelSet]:
    """A service that no test hurts for good, with passwords everywhere."""
    directory = tmp_path_factory.mktemp("watched")
    with running_sentinel(directory, password="p@ss", sentinel_password="eye") as made:
        yield made


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[SentinelSet]:
    """One for a test that kills its master."""
    with running_sentinel(tmp_path / "fragile", replicas=1) as made:
        yield made


def address(watched: SentinelSet) -> str:
    return watched.url.replace("p@ss", "p%40ss")


def works(act: Callable[[], object]) -> bool:
    try:
        act()
    except Unavailable:
        return False
    return True


def test_the_whole_story_with_passwords_for_servers_and_sentinels(watched: SentinelSet) -> None:
    stores = RedisStores.open(address(watched), "story")
    assert list(Story(stores).steps())[-1] == "store_time"
    assert watched.ask(watched.master(), "KEYS", "story:*")
    stores.close()


def test_a_sentinel_that_hangs_is_passed_over_and_asked_last_from_then_on(watched: SentinelSet) -> None:
    first = watched.sentinels[0]
    first.pause()
    try:
        link = Link(address(watched))
        began = time.monotonic()
        link.send(command("SET", "x", 1))
        assert time.monotonic() - began < 3
        for _ in range(5):
            link.close()  # the next call opens another connection
            link.send(command("SET", "x", 1))
        assert time.monotonic() - began < 3, "half a second for each would be three"
        link.close()
    finally:
        first.resume()


def test_what_sentinels_cannot_say_is_unavailable_in_words(watched: SentinelSet) -> None:
    for wrong, words in {
        address(watched).replace("/lockstep/", "/another/"): "it knows no such service",
        address(watched).replace("=eye", "=other"): "AuthenticationError",
        address(watched).replace("sentinel_password=eye", "socket_timeout=1"): "Authentication required",
    }.items():
        link = Link(wrong)
        with pytest.raises(Unavailable) as caught:
            link.send(command("EXISTS", "x"))
        assert "no sentinel names a master" in caught.value.detail
        assert words in caught.value.detail
        assert "eye" not in caught.value.detail
        link.close()


def test_a_master_that_is_killed_is_followed_by_the_promoted_one_and_sessions_live_on(fragile: SentinelSet) -> None:
    stores = RedisStores.open(fragile.url, replicas=1)
    session = new_session()
    eventually(lambda: works(lambda: stores.sessions.open(session, NOW, 1)))
    dead = fragile.master()
    dead.kill()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        stores.sessions.find(session.sid)
    assert time.monotonic() - began < 5
    promoted = fragile.wait_for_another_master(dead)
    eventually(lambda: works(lambda: stores.sessions.find(session.sid)))
    stores._link._confirm_ms = 100  # of a second: one that stands still for a moment isn't silent yet
    with pytest.raises(Unavailable, match=r"cannot answer") as caught:
        stores.sessions.touch(session.sid, NOW + 1)
    assert "not confirmed" in caught.value.detail, "nobody follows the promoted one yet"
    dead.start()
    fragile.wait_until_whole()
    assert fragile.master() is promoted
    eventually(lambda: works(lambda: stores.sessions.touch(session.sid, NOW + 1)))
    stores.close()


def test_a_master_that_hangs_is_left_for_the_promoted_one(fragile: SentinelSet) -> None:
    link = Link(fragile.url)
    link.send(command("SET", "x", 1))
    hanging, (replica,) = fragile.master(), fragile.replicas()
    # WAIT on a connection that has written nothing counts a replica that is still loading, too.
    eventually(lambda: fragile.ask(replica, "EXISTS", "x") == 1)
    hanging.pause()
    fragile.wait_for_another_master(hanging)
    eventually(lambda: works(lambda: link.send(command("SET", "y", 1))))
    with redis.Redis(port=fragile.master().port) as raw:
        assert raw.exists("x", "y") == 2
    hanging.resume()
    fragile.wait_until_whole()
    assert link.send(command("EXISTS", "y")) == 1
    link.close()


def test_a_master_that_is_made_a_replica_takes_no_more_writes_of_ours(fragile: SentinelSet) -> None:
    """As in a planned failover. Until it has been told, it takes them still: a fence, or replicas that confirm, is what
    makes that harmless."""
    link = Link(fragile.url)
    link.send(command("SET", "x", 1))
    old = fragile.master()
    fragile.ask(fragile.sentinels[0], "SENTINEL", "FAILOVER", "lockstep")
    fragile.wait_for_another_master(old)
    eventually(
        lambda: works(lambda: link.send(command("SET", "z", 1))) and fragile.ask(fragile.master(), "EXISTS", "z") == 1
    )
    link.close()


def test_a_server_that_says_read_only_is_asked_no_more(watched: SentinelSet) -> None:
    """A connection to a master that became a replica without anybody cutting it."""
    link = Link(address(watched))
    link.send(command("SET", "x", 1))
    server = link._topology.server  # type: ignore[attr-defined]
    (line,) = server._idle
    replica = watched.replicas()[0]
    elsewhere = Link(f"redis://:p%40ss@127.0.0.1:{replica.port}")
    elsewhere.send(command("EXISTS", "x"))
    server._idle[:] = elsewhere._topology.server._idle  # type: ignore[attr-defined]
    elsewhere._topology.server._idle = []  # type: ignore[attr-defined]
    line.close()
    with pytest.raises(Unavailable) as caught:
        link.send(command("SET", "x", 2))
    assert "ReadOnly" in caught.value.detail
    link.send(command("SET", "x", 2))
    assert watched.ask(watched.master(), "GET", "x") == "2"
    link.close()
