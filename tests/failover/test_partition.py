"""The network between two sides fails: the old master goes on with a node of the centre beside it, while the other side
promotes a replica. Both nodes reach PostgreSQL. Then the wire is mended.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.failover.sides import WHY_NOT, can_make_sides
from tests.failover.split import Split, running_split, running_split_here
from tests.failover.town import wait_for_all
from tests.support.postgres import Postgres, running_postgres

pytestmark = pytest.mark.postgres
_MIN_REPLICAS = ("--min-replicas-to-write", "1", "--min-replicas-max-lag", "2")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Postgres]:
    """Not in a namespace: everybody reaches it."""
    with running_postgres(tmp_path / "postgres", listen_addresses="*", max_connections="300") as server:
        yield server


@pytest.mark.skipif(not can_make_sides(), reason=WHY_NOT)
@pytest.mark.parametrize(
    ("name", "options", "replicas"),
    [("plain", (), 0), ("min-replicas-to-write 1", _MIN_REPLICAS, 0), ("SSO_REDIS_REPLICAS=1", (), 1)],
    ids=["plain", "min-replicas", "confirmed"],
)
def test_two_masters_at_once_bring_nobody_back(
    tmp_path: Path, database: Postgres, name: str, options: tuple[str, ...], replicas: int
) -> None:
    with running_split(tmp_path, f"Split brain, {name}", database, *options, replicas=replicas) as split:
        _cut_and_heal(split, must_end=name == "plain")
        confirmed = replicas > 0
        split.town.reckon().hold(sessions=not confirmed, untold=not confirmed, rotated_again=not confirmed)


def test_the_same_without_rights_brings_nobody_back(tmp_path: Path, database: Postgres) -> None:
    with running_split_here(tmp_path, "Split brain through relays, plain", database) as split:
        _cut_and_heal(split, must_end=True)
        split.town.reckon().hold(sessions=True, untold=True, rotated_again=True)


def _cut_and_heal(split: Split, *, must_end: bool) -> None:
    town = split.town
    before = town.half_way()
    split.network.cut()
    cut_at = time.time()
    # Signed in before, and out while there are two masters: half of them beside the old one.
    leaving = town.finish(before)
    split.wait_for_another_master()
    town.wait_for_sign_ins(after=cut_at, node=1)
    time.sleep(3)
    split.network.heal()
    town.wait_for_sign_ins()
    wait_for_all(leaving)
    town.wait_for_lives(8)
    if must_end:
        beside_the_old = [each for each in town.answers.of("sign out") if each.node == town.lines[0].base]
        said = [each for each in beside_the_old if each.is_success and cut_at + 1 < each.at < cut_at + 15]
        assert said, "the old master ended nothing while it was cut off: this run shows nothing"
