"""Sentinel promotes a replica while people sign in and out."""

import time
from pathlib import Path

import pytest

from tests.failover.conftest import StartTown
from tests.support.sentinel import running_sentinel

_AOF = ("--appendonly", "yes")


@pytest.mark.parametrize("replicas", [0, 1], ids=["plain", "confirmed"])
def test_a_master_dies_and_a_replica_is_promoted(tmp_path: Path, start_town: StartTown, replicas: int) -> None:
    with running_sentinel(tmp_path / "sentinel", *_AOF) as servers:
        town = start_town(
            f"Sentinel, master killed, SSO_REDIS_REPLICAS={replicas}", servers.url, redis_replicas=replicas
        )
        master = servers.master()
        town.finish(town.half_way())
        time.sleep(0.3)
        master.kill()
        servers.wait_for_another_master(master)
        town.wait_for_sign_ins()
        town.wait_for_lives(8)
        # What was on its way to the replica is lost, unless it was waited for.
        plain = replicas == 0
        town.reckon().hold(sessions=plain, untold=plain, rotated_again=plain)
