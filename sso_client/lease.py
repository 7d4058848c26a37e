"""Whether a store may still serve its local sessions: pure decisions, no input or output.

A lease says "the centre confirmed this store at that moment; that holds N seconds". Who asks the centre is `admission`.
"""

from dataclasses import dataclass
from enum import Enum

from sso_client.clock import Instant


@dataclass(frozen=True, slots=True)
class Lease:
    """What the store knows of its lease. Milliseconds. `stamp` is when the confirmed request was sent, minus lag."""

    stamp: Instant | None
    lease_ms: int
    grace_ms: int
    report_ms: int  # how long the centre waits for news of somebody's activity
    failure: str  # why the last attempt failed: "" | "unreachable" | "refused" | "unconfirmed"


class Standing(Enum):
    """What a request may do under a lease."""

    FRESH = "go on"
    RENEW = "go on, and one request asks the centre"
    EXPIRED = "nobody goes on before the centre answered"


def age_ms(stamp: Instant | None, now: Instant) -> int | None:
    """How old the stamp is: the larger of both clocks' answers, or None if neither can be trusted.

    The boot clock can't be set back by anybody and counts sleep; the wall clock covers a host without one. A negative
    age or another boot means that a clock or the machine was changed under us: unknown, never "young".
    """
    if stamp is None or stamp.boot_id != now.boot_id:
        return None
    by_boot, by_wall = now.boot_ms - stamp.boot_ms, now.wall_ms - stamp.wall_ms
    return None if by_boot < 0 or by_wall < 0 else max(by_boot, by_wall)


def judge(lease: Lease, now: Instant) -> Standing:
    """Renewal starts at N/2, so that one lost check-in doesn't stop anybody."""
    age = age_ms(lease.stamp, now)
    if age is None or age > lease.lease_ms:
        return Standing.EXPIRED
    return Standing.RENEW if age * 2 >= lease.lease_ms else Standing.FRESH


def grace_holds(lease: Lease, now: Instant) -> bool:
    """True if the site's own grace covers a request beyond N: only while the centre can't be reached.

    A refusal (401, 400) is no outage: the centre answered, and it did not confirm anybody.
    """
    age = age_ms(lease.stamp, now)
    return lease.failure == "unreachable" and age is not None and age <= lease.lease_ms + lease.grace_ms
