"""Names and attributes of the SDK's cookies. The names carry the client's id: two sites on one host don't clash."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from sso_client.addresses import is_loopback
from sso_client.errors import SSOError


@dataclass(frozen=True, slots=True)
class CookieNames:
    """The cookies of one client on one kind of origin."""

    secure: bool
    session: str
    turn: str  # counts sign-ins that didn't stick, so that a loop is cut
    left: str  # which sign-out of this site only was this browser's
    _attempt: str

    def attempt(self, state: str) -> str:
        """The cookie of one sign-in under way."""
        return self._attempt + hashlib.sha256(state.encode()).hexdigest()[:16]

    def attempts(self, cookies: Mapping[str, str]) -> dict[str, str]:
        """All attempt cookies among those that the browser sent."""
        return {name: value for name, value in cookies.items() if name.startswith(self._attempt)}


def read_cookies(header: str) -> dict[str, str]:
    """The cookies of a Cookie header. Ours need no decoding, and a neighbour's strange one must not hide them.

    Of one name the first counts: of the longest path, else the oldest (RFC 6265 section 5.4).
    """
    found: dict[str, str] = {}
    for item in header.split(";"):
        name, _, value = item.strip().partition("=")
        found.setdefault(name, value)
    return found


def cookie_names(client_id: str, origin: str) -> CookieNames:
    """Names for this origin. Raises SSOError `cookie_insecure` for plain http beyond loopback.

    `__Host-` keeps subdomains and plain-http neighbours from planting cookies (draft-ietf-httpbis-rfc6265bis 4.1.3).
    """
    parts = urlsplit(origin)
    secure = parts.scheme == "https"
    if not secure and not is_loopback(parts.netloc):
        raise SSOError("cookie_insecure", f"origin {origin!r:.200}")
    slug = re.sub(r"[^A-Za-z0-9_-]", "-", client_id)[:40]
    if slug != client_id:  # two ids must not fall together
        slug += "-" + hashlib.sha256(client_id.encode()).hexdigest()[:8]
    prefix = ("__Host-" if secure else "") + f"sso-{slug}"
    return CookieNames(secure, prefix, f"{prefix}-turn", f"{prefix}-left", f"{prefix}-try-")
