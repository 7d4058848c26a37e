"""The shape of every identifier: `<prefix>-<bucket>-<random>`. Making one needs randomness, which `ports.Randomness`
owns.

The bucket is part of the name for ever, on every store: one session's keys share a slot of a Redis Cluster,
and sweeping, claiming and check-in visit 64 buckets instead of all sessions. Letters, digits and `-` only,
because CAS 3.0.3 section 3.7 allows no others in a ticket.
"""

from __future__ import annotations

import hashlib
import re

BUCKETS = 64

SESSION = "sid"
COOKIE = "ck"
BROWSER = "br"
CODE = "code"
ACCESS_TOKEN = "at"
REFRESH_TOKEN = "rt"
JWT_ID = "jti"
USER = "usr"
STORE = "st"
#: What a device asks with while its person signs in elsewhere (RFC 8628 section 3.2); it has no bucket yet.
DEVICE_CODE = "dc"
# Of CAS 3.0.3 section 3: prefixes in capitals, as its clients expect them.
SERVICE_TICKET = "ST"
PROXY_TICKET = "PT"
PROXY_GRANTING_TICKET = "PGT"
PROXY_GRANTING_IOU = "PGTIOU"

_BUCKETED = re.compile(r"([a-z]{2,4}|[A-Z]{2,6})-([0-5][0-9]|6[0-3])-[a-z2-7]{32}")
_STORE = re.compile(r"st-[a-z2-7]{32}")


def bucket_of(identifier: str) -> int:
    """The bucket in which everything of this identifier's session lives, 0..63. Raises ValueError on another shape."""
    match = _BUCKETED.fullmatch(identifier)
    if match is None:
        raise ValueError("not an identifier of ours")
    return int(match.group(2))


def is_kind(identifier: str | None, prefix: str) -> bool:
    """Whether the text has the exact shape of a bucketed identifier of that kind."""
    match = _BUCKETED.fullmatch(identifier) if identifier and len(identifier) <= 64 else None
    return match is not None and match.group(1) == prefix


def is_store_id(text: str) -> bool:
    """Whether the text has the shape of a site's store id."""
    return _STORE.fullmatch(text) is not None


def is_ticket(text: str) -> bool:
    """Whether the text has the shape of a service or proxy ticket."""
    return is_kind(text, SERVICE_TICKET) or is_kind(text, PROXY_TICKET)


def mark_of(ticket: str) -> str:
    """By what a spent ticket is called in the audit and to people; empty for the empty text.

    Whoever knows its text can sign its person out at the site: nothing proves who sent a CAS logout request.
    """
    return f"ticket-{digest(ticket)[:16]}" if ticket else ""


def digest(identifier: str) -> str:
    """What is kept at rest, as hex: plain SHA-256, so that rotating `SSO_SECRET_KEY` signs nobody out.

    160 random bits need no key and no slow hash (ASVS 5.0, 11.5.1): there is nothing to guess.
    """
    return hashlib.sha256(identifier.encode()).hexdigest()
