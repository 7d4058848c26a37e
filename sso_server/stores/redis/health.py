"""StoreHealth on Redis: its clock, whether it takes writes, and settings that would break the promise."""

from __future__ import annotations

from sso_server.core.errors import Unavailable
from sso_server.core.policy import MINUTE
from sso_server.stores.redis.keys import Keys
from sso_server.stores.redis.link import Link, command
from sso_server.stores.redis.records import pairs


class RedisHealth:
    """For readiness."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def store_time(self) -> int:
        """See ports.StoreHealth."""
        write = command("SET", self._keys.written(), 1, "PX", MINUTE)
        _, (seconds, microseconds) = self._link.send_all([write, command("TIME", at=self._keys.written())])
        return int(seconds) * 1000 + int(microseconds) // 1000

    def problems(self) -> list[str]:
        """See ports.StoreHealth. A server that forbids CONFIG is asked by INFO alone; one that forbids both says so."""
        settings = self._config() | self._info()
        if not settings:
            return ["Redis lets us read neither CONFIG nor INFO: nobody can say whether it keeps what it is told."]
        problems = []
        if settings.get("aof_enabled", "1") == "0":
            kept = "only now and then (RDB snapshots)" if settings.get("save", "") else "only as its snapshots say"
            problems.append(
                f"Redis writes to disk {kept}: a restart loses what is in no snapshot. Check-ins then wait until the "
                "ends are repeated from the audit, and people who signed in since must sign in again. "
                "Set `appendonly yes`."
            )
        policy = settings.get("maxmemory_policy", "noeviction")
        if settings.get("maxmemory", "0") != "0" and policy != "noeviction":
            problems.append(
                f"Redis may throw sessions away when memory runs short (maxmemory-policy {policy}), and their sites "
                "would never be told. Set `maxmemory-policy noeviction`."
            )
        if settings.get("connected_slaves", "0") != "0" and not _waits_for_replicas(settings):
            problems.append(
                "Redis has replicas and doesn't wait for any: a master that is cut off from them goes on answering "
                "check-ins that a promoted replica knows nothing of. Set `min-replicas-to-write 1`."
            )
        if settings.get("aof_last_write_status", "ok") != "ok":
            problems.append("Redis could not write its append-only file last time: look at its disk.")
        return problems

    def _config(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in ("appendonly", "save", "maxmemory", "maxmemory-policy", "min-replicas-to-write"):
            try:
                found |= pairs(self._link.send(command("CONFIG", "GET", name)))
            except Unavailable:
                return {}
        known = {name.replace("-", "_"): value for name, value in found.items()}
        if "appendonly" in known:
            known["aof_enabled"] = "1" if known.pop("appendonly") == "yes" else "0"
        return known

    def _info(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for section in ("persistence", "memory", "replication"):
            try:
                text = str(self._link.send(command("INFO", section)))
            except Unavailable:
                return {}
            found |= dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        return found


def _waits_for_replicas(settings: dict[str, str]) -> bool:
    """Where CONFIG is forbidden, INFO counts the good replicas only if the setting asks for some."""
    return settings.get("min_replicas_to_write", "0") != "0" or "min_slaves_good_slaves" in settings
