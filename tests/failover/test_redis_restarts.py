"""One Redis dies by kill -9 and comes back with what its disk has; or loses everything while it runs."""

import time
from collections.abc import Callable

import pytest
import redis

from tests.failover.conftest import StartTown
from tests.failover.town import wait_for_all
from tests.support.services import OwnRedis

StartRedis = Callable[..., OwnRedis]
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")
EVERYSEC = ("--appendonly", "yes", "--appendfsync", "everysec")
NEVER = ("--appendonly", "no")


@pytest.mark.parametrize("options", [ALWAYS, EVERYSEC], ids=["always", "everysec"])
def test_a_redis_that_writes_a_log_loses_nothing_by_kill_nine(
    own_redis: StartRedis, start_town: StartTown, options: tuple[str, ...]
) -> None:
    server = own_redis(*options)
    town = start_town(f"Redis killed, appendfsync {options[-1]}", server.url)
    town.finish(town.half_way())
    time.sleep(0.3)
    server.kill()
    time.sleep(2)
    server.start()
    town.wait_for_sign_ins()
    town.wait_for_lives(8)
    # The process dies, the machine doesn't: what was written to the kernel is there.
    town.reckon().hold()


def test_a_redis_without_a_log_brings_nobody_back(own_redis: StartRedis, start_town: StartTown) -> None:
    server = own_redis(*NEVER)
    town = start_town("Redis killed, no AOF, an old snapshot", server.url)
    before = town.half_way()
    with redis.Redis.from_url(server.url) as connection:
        connection.save()
    # The snapshot has their sessions and tickets, and nothing of what they do now.
    wait_for_all(town.finish(before))
    server.kill()
    time.sleep(2)
    server.start()
    town.wait_for_sign_ins()
    town.wait_for_lives(8)
    found = town.reckon()
    found.hold(sessions=True, untold=True, rotated_again=True)
    assert found.sessions, "nothing was lost: this run shows nothing"


def test_a_redis_that_loses_everything_while_it_runs_brings_nobody_back(
    own_redis: StartRedis, start_town: StartTown
) -> None:
    server = own_redis(*EVERYSEC)
    town = start_town("FLUSHALL", server.url)
    town.finish(town.half_way())
    time.sleep(0.3)
    with redis.Redis.from_url(server.url) as connection:
        connection.flushall()
    town.wait_for_sign_ins()
    town.wait_for_lives(8)
    found = town.reckon()
    found.hold(sessions=True, untold=True)
    assert found.sessions, "nothing was lost: this run shows nothing"
