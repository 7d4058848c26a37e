"""A user of Redis' own access lists with exactly the permissions that docs/redis.md names: the whole story works."""

import re
from pathlib import Path

import pytest
import redis
from redis.exceptions import NoPermissionError

from sso_server.core.errors import Unavailable
from sso_server.stores.redis import RedisStores
from tests.stores.redis.story import Story
from tests.support.redis_cluster import running_cluster
from tests.support.sentinel import SERVICE, running_sentinel
from tests.support.services import running_redis

pytestmark = pytest.mark.redis
PAGE = (Path(__file__).parents[3] / "docs/redis.md").read_text(encoding="utf-8")


def permissions(where: str) -> list[str]:
    """The row of the page's table that begins so."""
    (found,) = re.findall(rf"^\| {where}[^|]* \| `([^`]+)`", PAGE, re.MULTILINE)
    return found.replace("\\|", "|").split()


def tell(stores: RedisStores) -> None:
    assert list(Story(stores).steps())[-1] == "store_time"
    assert stores.past.look().incarnation
    stores.tokens.revoke_grants_before(1, 1)
    assert not [line for line in stores.health.problems() if "neither CONFIG nor INFO" in line]


def test_one_server(tmp_path: Path) -> None:
    with running_redis(tmp_path) as url, redis.Redis.from_url(url) as raw:
        raw.execute_command("ACL", "SETUSER", "centre", "on", ">pw", "~lockstep:*", *permissions("one server"))
        theirs = url.replace("redis://", "redis://centre:pw@")
        stores = RedisStores.open(theirs, replicas=0)
        tell(stores)
        # Looking at settings is a permission of its own, and its lack is no problem.
        without = len(stores.health.problems())
        raw.execute_command("ACL", "SETUSER", "centre", "+config|get")
        assert len(stores.health.problems()) == without
        for words in ("FLUSHALL", "KEYS *", "CONFIG SET maxmemory 1", "GET other:key", "SCRIPT FLUSH", "ACL LIST"):
            with redis.Redis.from_url(theirs) as meddling, pytest.raises(NoPermissionError):
                meddling.execute_command(*words.split())
        stores.close()
        confirmed = RedisStores.open(f"{theirs}?socket_timeout=20", replicas=1)
        confirmed._link._confirm_ms = 300  # one that stands still for a moment isn't silent yet
        with pytest.raises(Unavailable) as caught:
            confirmed.health.store_time()
        assert "not confirmed" in caught.value.detail, "WAIT may be asked"
        confirmed.close()


@pytest.mark.engines
def test_a_cluster(tmp_path: Path) -> None:
    user = f"user centre on >pw ~lockstep:* {' '.join([*permissions('one server'), *permissions('each node')])}"
    with running_cluster(tmp_path, users=[user]) as cluster:
        stores = RedisStores.open(cluster.url_for("centre", "pw"))
        tell(stores)
        stores.close()


@pytest.mark.engines
def test_a_service_under_sentinel(tmp_path: Path) -> None:
    with running_sentinel(tmp_path, password="all", sentinel_password="eye") as watched:
        for node in watched.nodes:
            watched.ask(node, "ACL", "SETUSER", "centre", "on", ">pw", "~lockstep:*", *permissions("one server"))
        for sentinel in watched.sentinels:
            watched.ask(sentinel, "ACL", "SETUSER", "watch", "on", ">see", *permissions("each sentinel"))
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in watched.sentinels)
        own = "sentinel_user=watch&sentinel_password=see"
        stores = RedisStores.open(f"redis+sentinel://centre:pw@{hosts}/{SERVICE}/0?{own}")
        tell(stores)
        stores.close()
        meddling = redis.Redis(port=watched.sentinels[0].port, username="watch", password="see", protocol=2)
        with meddling, pytest.raises(NoPermissionError):
            meddling.execute_command("SENTINEL", "FAILOVER", SERVICE)
