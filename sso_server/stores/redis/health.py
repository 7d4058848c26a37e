"""StoreHealth on Redis: its clock, whether it takes writes, and settings that would break the promise.

Of a cluster every master is asked; what several have in common is said once, with their names.
"""

from __future__ import annotations

from redis.exceptions import ResponseError

from sso_server.core.errors import Unavailable
from sso_server.core.policy import MINUTE, SECOND
from sso_server.stores.redis.keys import Keys
from sso_server.stores.redis.link import Link, command
from sso_server.stores.redis.records import pairs

_CONFIG = ("appendonly", "save", "maxmemory", "maxmemory-policy", "min-replicas-to-write")
_SECTIONS = ("persistence", "memory", "replication")
_MOST_APART_MS = SECOND


class RedisHealth:
    """For readiness."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def store_time(self) -> int:
        """See ports.StoreHealth. Of several masters' clocks the middle one."""
        times = sorted(self._times())
        return times[len(times) // 2]

    def problems(self) -> list[str]:
        """See ports.StoreHealth. A server that forbids CONFIG is asked by INFO alone; one that forbids both says so."""
        whose: dict[str, list[str]] = {}
        for master in self._link.masters():
            for sentence in _problems_of(master, self._link.replicas):
                whose.setdefault(sentence, []).append(master.name)
        problems = [
            sentence.format(redis=f"Redis ({', '.join(names)})" if names[0] else "Redis")
            for sentence, names in whose.items()
        ]
        if self._link.is_cluster:
            problems += self._of_the_cluster()
        return problems

    def _times(self) -> list[int]:
        """Of each master, in one step with a write."""
        if not self._link.is_cluster:
            places = [self._keys.written()]
        else:
            # Among so many names there is one for a master that has no bucket.
            masters = self._link.by_server(self._keys.heartbeats_everywhere())
            places = [f"{keys[0].removesuffix('heartbeat')}written" for keys in masters]
        writes = [command("SET", key, 1, "PX", MINUTE) for key in places]
        replies = self._link.send_all([*writes, *(command("TIME", at=key) for key in places)])
        return [int(seconds) * 1000 + int(micros) // 1000 for seconds, micros in replies[len(writes) :]]

    def _of_the_cluster(self) -> list[str]:
        states = [_pairs_of(str(master.send(command("CLUSTER", "INFO")))) for master in self._link.masters()]
        if any(state.get("cluster_slots_ok") != "16384" for state in states):
            sentence = (
                "Not every slot of the Redis cluster is served: what lies there is answered with 503, and so is every "
                "check-in. Look at `redis-cli --cluster check`."
            )
            return [sentence]
        times = self._times()
        apart = max(times) - min(times)
        return [f"The clocks of the Redis cluster's masters differ by {apart} ms."] if apart > _MOST_APART_MS else []


def _problems_of(master: Link, replicas: int) -> list[str]:
    """Of one server; `{redis}` stands for its name."""
    settings = _config(master) | _info(master)
    if not settings:
        return ["{redis} lets us read neither CONFIG nor INFO: nobody can say whether it keeps what it is told."]
    problems = []
    if settings.get("role") == "slave":
        problems.append("{redis} is a replica and takes no writes: SSO_REDIS_URL must name its master.")
    if settings.get("aof_enabled", "1") == "0":
        kept = "only now and then (RDB snapshots)" if settings.get("save", "") else "only as its snapshots say"
        problems.append(
            f"{{redis}} writes to disk {kept}: a restart loses what is in no snapshot. Check-ins then wait until the "
            "ends are repeated from the audit, and people who signed in since must sign in again. "
            "Set `appendonly yes`."
        )
    policy = settings.get("maxmemory_policy", "noeviction")
    if settings.get("maxmemory", "0") != "0" and policy != "noeviction":
        problems.append(
            f"{{redis}} may throw sessions away when memory runs short (maxmemory-policy {policy}), and their sites "
            "would never be told. Set `maxmemory-policy noeviction`."
        )
    connected = int(settings.get("connected_slaves", "0"))
    if connected < replicas:
        problems.append(
            f"{{redis}} has {connected} replicas, and SSO_REDIS_REPLICAS says that {replicas} must confirm each "
            "change: until they do, whatever changes something is answered with 503."
        )
    elif connected and not replicas and not _waits_for_replicas(settings):
        problems.append(
            "{redis} has replicas and doesn't wait for any: a master that is cut off from them goes on answering "
            "check-ins that a promoted replica knows nothing of. Set `min-replicas-to-write 1`, or SSO_REDIS_REPLICAS."
        )
    if settings.get("aof_last_write_status", "ok") != "ok":
        problems.append("{redis} could not write its append-only file last time: look at its disk.")
    return problems


def _config(master: Link) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _CONFIG:
        try:
            found |= pairs(master.send(command("CONFIG", "GET", name)))
        except Unavailable as error:
            return _nothing_if_refused(error)
    known = {name.replace("-", "_"): value for name, value in found.items()}
    if "appendonly" in known:
        known["aof_enabled"] = "1" if known.pop("appendonly") == "yes" else "0"
    return known


def _info(master: Link) -> dict[str, str]:
    found: dict[str, str] = {}
    for section in _SECTIONS:
        try:
            found |= _pairs_of(str(master.send(command("INFO", section))))
        except Unavailable as error:
            return _nothing_if_refused(error)
    return found


def _nothing_if_refused(error: Unavailable) -> dict[str, str]:
    if not isinstance(error.__cause__, ResponseError):
        raise error
    return {}


def _pairs_of(text: str) -> dict[str, str]:
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _waits_for_replicas(settings: dict[str, str]) -> bool:
    """Where CONFIG is forbidden, INFO counts the good replicas only if the setting asks for some."""
    return settings.get("min_replicas_to_write", "0") != "0" or "min_slaves_good_slaves" in settings
