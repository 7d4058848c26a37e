"""What a Redis must be for local sessions, and how this one differs: for the log at a site's start, and the doctor."""

from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from sso_client.events import log
from sso_client.stores.redis_link import RedisLink


@dataclass(frozen=True, slots=True)
class Weakness:
    """One way in which this Redis may lose what it was told. `kind`: `evicts` or `keeps_nothing`."""

    kind: str
    seen: str
    cure: str


def find_weaknesses(link: RedisLink) -> tuple[Weakness, ...]:
    """What would make this Redis forget. Raises SSOError `store_...` if it can't be asked at all."""
    with link.errors_named():
        about: dict[str, Any] = link.redis.info()
    found = []
    policy = str(about.get("maxmemory_policy", "noeviction"))
    # Without a limit nothing is thrown away today; the limit comes with the first incident.
    if policy != "noeviction":
        seen = f"maxmemory-policy is {policy}: a Redis that runs short of memory may forget who has signed out"
        found.append(Weakness("evicts", seen, "set maxmemory-policy noeviction"))
    if str(about.get("aof_enabled", "1")) == "0":
        saves = _saves(link)
        kept = "only snapshots are kept" if saves else "nothing is kept on disk"
        if saves is not None:
            seen = f"appendonly is off, {kept}: a restart forgets sign-outs that the centre hasn't confirmed"
            found.append(Weakness("keeps_nothing", seen, "set appendonly yes"))
    return tuple(found)


def warn(link: RedisLink) -> None:
    """Put the weaknesses into the log."""
    for weakness in find_weaknesses(link):
        log.warning("%s: %s; %s", link.place, weakness.seen, weakness.cure)


def _saves(link: RedisLink) -> str | None:
    """The snapshots that are set; None if this server doesn't say."""
    try:
        return str(link.redis.config_get("save").get("save", ""))
    except RedisError:
        return None
