"""The scripts: forgotten ones come back, none leaves the slot of its key, and answers have the order of records.py."""

import contextlib
import re
import time
from pathlib import Path

import pytest
import redis

from sso_server.stores.redis import RedisStores, records, scripts
from tests.stores.redis.story import NOW, Story, new_session
from tests.support.ports import free_port
from tests.support.services import running_redis


def test_a_server_that_forgot_its_scripts_gets_them_again_and_nothing_is_lost(stores, raw):
    for _ in Story(stores).steps():
        raw.script_flush()


def test_a_pipeline_whose_scripts_are_forgotten_is_done_once(stores, raw):
    stores.sessions.open(new_session(), NOW, 1)
    raw.script_flush()
    stores.sessions.open(new_session(), NOW, 1)
    assert stores.lists.count_live(NOW) == 2


@pytest.fixture
def strict(monkeypatch):
    """From Redis 7 on, a script with this first line is refused as soon as it leaves its slot; one without it isn't."""
    scripts.load.cache_clear()
    make = scripts.make
    monkeypatch.setattr(scripts, "make", lambda name, source: make(name, "#!lua\n" + source))
    yield
    scripts.load.cache_clear()


@pytest.fixture
def cluster_url(tmp_path: Path):
    """A Redis in cluster mode that owns all slots."""
    with contextlib.ExitStack() as stack:
        options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
        url = stack.enter_context(running_redis(tmp_path, *options))
        raw = stack.enter_context(redis.Redis.from_url(url))
        if int(raw.info("server")["redis_version"].split(".")[0]) < 7:
            pytest.skip("an older Redis than 7 doesn't check the slots of a script's keys")
        raw.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        deadline = time.monotonic() + 20
        while raw.cluster("info").get("cluster_state") != "ok":
            assert time.monotonic() < deadline, "the cluster of one does not come up"
            time.sleep(0.05)
        yield url.replace("redis://", "redis+cluster://")


@pytest.mark.redis
def test_no_script_leaves_its_slot_in_the_whole_story(strict, cluster_url):
    stores = RedisStores.open(cluster_url, "cluster")
    list(Story(stores).steps())
    stores.close()
    folder = Path(scripts.__file__).parent / "scripts"
    assert scripts.load.cache_info().currsize == len(list(folder.glob("[a-z]*.lua"))), "the story leaves scripts out"


@pytest.mark.redis
def test_leaving_the_slot_would_be_noticed(strict, cluster_url):
    script = scripts.make("two slots", "redis.call('SET', KEYS[1], 1) redis.call('SET', KEYS[1] .. 'x', 1)")
    alone = cluster_url.replace("+cluster", "")
    with redis.Redis.from_url(alone) as raw, pytest.raises(redis.ResponseError, match="slot"):
        raw.eval(script.source, 1, "key")


@pytest.mark.parametrize(
    ("script", "list_of", "names"),
    [
        ("find_by_cookie", "local SESSION = {", records.SESSION),
        ("redeem", "local ticket = values(", records.TICKET),
        ("find_token", "values(key('token', ARGV[2]),", records.TOKEN),
        ("find_token", "return values(key('grant', grant_id),", records.GRANT),
        ("claim", "return values(key('row', name),", records.ROW),
    ],
)
def test_an_answers_values_stand_in_the_order_in_which_they_are_read(script, list_of, names):
    found = re.search(re.escape(list_of) + r"[^'}]*((?:'\w+'[,\s]*)+)", scripts.load(script).source)
    assert tuple(re.findall(r"'(\w+)'", found[1])[: len(names)]) == names
