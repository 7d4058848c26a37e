"""Which addresses may be registered at all, whatever they are for: checked as text, never resolved."""

from __future__ import annotations

from urllib.parse import urlsplit

from sso_server.core.errors import InvalidRequest

MAX_LENGTH = 2000
_LOOPBACK = ("127.0.0.1", "[::1]", "::1", "localhost")


def is_loopback_host(host: str | None) -> bool:
    """Loopback by name; `*.localhost` counts (RFC 6761 section 6.3)."""
    return host is not None and (host in _LOOPBACK or host.endswith(".localhost"))


def check_uri(uri: str, what: str, *, allow_query: bool = True) -> str:
    """A URI fit for registration, unchanged. Raises InvalidRequest that names what is wrong.

    RFC 6749 section 3.1.2 (no fragment), RFC 9700 section 4.1.3 (no wildcards: compared as strings, later), and the
    advisories' tricks: user-info, backslashes, control characters, a scheme in odd case.
    """
    problem = ""
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidRequest(f"{what} {uri!r} is not a URL.") from None
    if len(uri) > MAX_LENGTH or any(c <= " " or c in '\\"<>^`{|}*' or c > "~" for c in uri):
        problem = "has characters that a URL may not have (or is longer than 2000)"
    elif not uri.startswith(("https://", "http://")):
        problem = "must begin with https:// (or http:// on loopback)"
    elif not host or "@" in parts.netloc:
        problem = "needs a plain host, without user information"
    elif "#" in uri:
        problem = "may not have a fragment"
    elif parts.query and not allow_query:
        problem = "may not have a query"
    elif parts.scheme == "http" and not is_loopback_host(host) and what != "backchannel_logout_uri":
        problem = "must be https outside loopback"
    if problem:
        raise InvalidRequest(f"{what} {uri!r} {problem}.")
    return uri
