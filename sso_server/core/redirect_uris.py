"""Where a client's tickets may be sent: what may be registered, and whether a request names what was registered.

Compared as strings, character by character (RFC 9700 section 2.1); the one exception is the port of a native app's
loopback address, which its system chooses anew each time (RFC 8252 section 7.3).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sso_server.core.client_metadata import NATIVE
from sso_server.core.errors import InvalidRequest
from sso_server.core.uris import MAX_LENGTH, check_uri

if TYPE_CHECKING:
    from sso_server.core.clients import Client

MAX_URIS = 50
# RFC 8252 sections 7.1 and 8.4: a reverse domain name, so that no two apps, and no scheme of a browser, have the same.
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::([0-9]{1,5}))?([/?].*)?")


def check_redirect_uris(uris: tuple[str, ...], application_type: str, what: str = "redirect_uri") -> None:
    """All of them may be registered for this type of client. Raises InvalidRequest (`invalid_<what>`)."""
    try:
        if len(uris) > MAX_URIS or len(set(uris)) != len(uris):
            raise InvalidRequest(f"A client has at most {MAX_URIS} {what}s, each once.")
        for uri in uris:
            if application_type == NATIVE and not uri.startswith(("https://", "http://")):
                _check_private(uri, what)
            else:
                check_uri(uri, what)
    except InvalidRequest as error:
        raise InvalidRequest(error.description, code=f"invalid_{what}") from None


def _check_private(uri: str, what: str) -> None:
    scheme, _, rest = uri.partition(":")
    problem = ""
    try:
        _ = urlsplit(uri).port
    except ValueError:
        raise InvalidRequest(f"{what} {uri!r} is not a URL.") from None
    if len(uri) > MAX_LENGTH or any(not "!" <= c <= "~" or c in '\\"<>^`{|}*' for c in uri):
        problem = "has characters that a URL may not have (or is longer than 2000)"
    elif _PRIVATE_SCHEME.fullmatch(scheme) is None or not rest:
        problem = "has a scheme that is neither https nor a domain name of yours in reverse, such as com.example.app"
    elif "#" in uri:
        problem = "may not have a fragment"
    elif "@" in rest.partition("?")[0]:
        problem = "may not have user information"
    if problem:
        raise InvalidRequest(f"{what} {uri!r} {problem}.")


def redirect_matches(client: Client, received: str) -> bool:
    """Whether this address was registered for it."""
    if received in client.redirect_uris:
        return True
    if client.metadata.application_type != NATIVE or (asked := _without_port(received)) is None:
        return False
    return any(_without_port(uri) == asked for uri in client.redirect_uris)


def _without_port(uri: str) -> tuple[str, str] | None:
    """A loopback address but for its port: any other part of it must be the registered one."""
    match = _LOOPBACK.fullmatch(uri)
    if match is None or not 0 < int(match[2] or 80) < 65_536:
        return None
    return match[1], match[3] or ""


def hosts_of(uris: tuple[str, ...]) -> set[str]:
    """The hosts that these addresses name; the empty one for an app's own scheme."""
    return {urlsplit(uri).hostname or "" for uri in uris}
