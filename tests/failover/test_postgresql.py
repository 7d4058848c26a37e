"""PostgreSQL restarts, or dies and its standby is promoted: with sessions on Redis, and with everything there."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.failover.conftest import StartTown
from tests.failover.relay import Way
from tests.failover.town import wait_for_all
from tests.support.postgres import Postgres, running_postgres, running_standby
from tests.support.services import OwnRedis

pytestmark = pytest.mark.postgres
StartRedis = Callable[..., OwnRedis]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Postgres]:
    with running_postgres(tmp_path / "postgres", max_connections="300") as server:
        yield server


def redis_url(where: str, own_redis: StartRedis) -> str:
    return own_redis("--appendonly", "yes").url if where == "redis" else ""


@pytest.mark.parametrize("where", ["redis", "postgresql"])
@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_postgresql_that_comes_back_has_lost_nothing(
    own_redis: StartRedis, database: Postgres, start_town: StartTown, where: str, how: str
) -> None:
    url = redis_url(where, own_redis)
    town = start_town(f"PostgreSQL {how}, sessions in {where}", url, database.create_database())
    town.finish(town.half_way())
    time.sleep(0.3)
    (database.stop if how == "stopped" else database.kill)()
    time.sleep(3)
    database.start()
    town.wait_for_sign_ins()
    town.wait_for_lives(8)
    town.reckon().hold()


@pytest.mark.parametrize("where", ["redis", "postgresql"])
@pytest.mark.parametrize("mode", ["asynchronous", "synchronous"])
def test_a_promoted_standby_brings_nobody_back(
    own_redis: StartRedis, database: Postgres, tmp_path: Path, start_town: StartTown, where: str, mode: str
) -> None:
    redis = redis_url(where, own_redis)
    with running_standby(database, tmp_path / "standby") as standby, Way(database.port) as way:
        if mode == "synchronous":
            database.configure(synchronous_standby_names="walreceiver")
        address = database.create_database().replace(f":{database.port}/", f":{way.port}/")
        town = start_town(f"PostgreSQL's {mode} standby promoted, sessions in {where}", redis, address)
        before = town.half_way()
        if mode == "asynchronous":
            # It is behind by all that is answered from here on.
            standby.freeze()
            wait_for_all(town.finish(before))
        else:
            town.finish(before)
            time.sleep(0.3)
        way.close_for_now()
        database.kill()
        standby.thaw()
        standby.promote()
        way.lead_to(standby.port)
        town.wait_for_sign_ins()
        town.wait_for_lives(8)
        # With everything in one database no journal says what was lost with it: everybody signs in once more.
        all_end = where == "postgresql"
        town.reckon().hold(sessions=all_end, untold=all_end and mode == "asynchronous")
