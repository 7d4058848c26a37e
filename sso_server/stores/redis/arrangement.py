"""Which slots lie with which master, in their own words: for what goes through all keys of a cluster once.

A key that moves meanwhile, from a master that comes later to one that has been gone through, would be missed.
"""

from __future__ import annotations

from redis.crc import REDIS_CLUSTER_HASH_SLOTS

from sso_server.core.errors import Unavailable
from sso_server.stores.redis.link import Link, command


def arrangement(link: Link) -> str:
    """Equal before and after: nothing has moved. Empty unless it is a cluster. Raises Unavailable, also while slots are
    being moved."""
    if not link.is_cluster:
        return ""
    lines, count = [], 0
    for master in link.masters():
        nodes = str(master.send(command("CLUSTER", "NODES")))
        (own,) = [fields for fields in map(str.split, nodes.splitlines()) if "myself" in fields[2].split(",")]
        ranges = own[8:]
        if any(text.startswith("[") for text in ranges):
            raise Unavailable(detail="Redis: slots are being moved; what goes through all keys must wait")
        edges = [[int(edge) for edge in text.split("-")] for text in ranges]
        count += sum(edge[-1] - edge[0] + 1 for edge in edges)
        lines.append(" ".join([own[0], *ranges]))
    if count != REDIS_CLUSTER_HASH_SLOTS:
        raise Unavailable(detail="Redis: the masters disagree about their slots, or some are served by nobody")
    return "\n".join(sorted(lines))
