"""A master of a cluster dies while people sign in and out: a third of the sessions wait for its replica."""

import time
from pathlib import Path

import pytest

from tests.failover.conftest import StartTown
from tests.support.redis_cluster import running_cluster


@pytest.mark.parametrize("replicas", [0, 1], ids=["plain", "confirmed"])
def test_a_master_of_a_cluster_dies_and_its_replica_takes_over(
    tmp_path: Path, start_town: StartTown, replicas: int
) -> None:
    with running_cluster(tmp_path / "cluster", 1, "--appendonly", "yes") as cluster:
        setting = f"Cluster, a master killed, SSO_REDIS_REPLICAS={replicas}"
        town = start_town(setting, cluster.url, redis_replicas=replicas)
        town.finish(town.half_way())
        time.sleep(0.3)
        cluster.first_masters[1].kill()
        cluster.wait_until_whole()
        if replicas:
            # Without a replica of its own the promoted one could confirm nothing.
            cluster.first_masters[1].start()
        town.wait_for_sign_ins()
        town.wait_for_lives(8)
        plain = replicas == 0
        town.reckon().hold(sessions=plain, untold=plain, rotated_again=plain)
