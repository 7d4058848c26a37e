from sso_server.core.policy import DAY
from tests.stores.redis.story import NOW, Story


def test_a_story_leaves_nothing_behind_but_indexes_and_keys_that_expire(stores, raw, prefix):
    list(Story(stores).steps())

    assert stores.sweeps.purge(NOW + 3 * DAY, 100) == 2

    left = {key: raw.pttl(key) for key in raw.scan_iter(f"{prefix}:*", count=1000)}
    stay = {key for key, life in left.items() if life < 0}
    assert stay == {f"{prefix}:{{health}}:{name}" for name in ("heartbeat", "unfinished")}
    assert not [key for key in left if ":session:" in key or ":row:" in key or ":sites:" in key]
