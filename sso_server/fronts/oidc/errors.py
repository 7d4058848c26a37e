"""What can be wrong with an authorization request: what never redirects, and what the site is told by a redirect."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote_plus

from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest, LockstepError
from sso_server.core.records import record
from sso_server.core.uris import check_uri
from sso_server.web.json_errors import printable


@record
class ReturnAddress:
    """A registered redirect_uri, the request's state, and who answers: all that an answer needs."""

    redirect_uri: str
    state: str
    issuer: str
    site_name: str
    by_post: bool = False
    """By a form that the browser posts (OAuth 2.0 Form Post Response Mode); else in the query."""
    by_fragment: bool = False
    """Behind `#`, for a site that asked by a response type that we don't have: there it looks for the error (RFC 6749
    section 4.2.2.1)."""

    def fields(self, **members: str) -> dict[str, str]:
        """An answer, success or error alike: `state` exactly as sent, `iss` always (RFC 9207 section 2)."""
        return members | ({"state": self.state} if self.state else {}) | {"iss": self.issuer}


class AuthorizationRefused(LockstepError):
    """The site is told: client and redirect_uri are good, something else is not (RFC 6749 section 4.1.2.1)."""

    def __init__(self, code: str, description: str, back: ReturnAddress) -> None:
        super().__init__(description, code=code)
        self.back = back

    @property
    def fields(self) -> dict[str, str]:
        """What the browser takes to the site."""
        return self.back.fields(error=self.code, error_description=printable(self.description))


class RedirectUriMismatch(InvalidRequest):
    """The redirect_uri is not a registered one: shown on a page, never followed (RFC 9700 section 4.1.3)."""

    def __init__(self, client: Client, received: str) -> None:
        registered = list(client.redirect_uris)
        super().__init__(
            "The site asked to be answered at an address that is not registered for it.",
            detail=f"redirect_uri of {client.client_id}: received {received[:300]!r}, registered {registered!r}",
            code="redirect_uri_mismatch",
        )
        command, reason = _mending(client, received)
        self.mismatch = {"received": received, "registered": registered, "command": command, "reason": reason}


def with_query(uri: str, fields: Mapping[str, str]) -> str:
    """The URI with more query parameters; its own query stays byte for byte."""
    joint = "?" if "?" not in uri else "" if uri.endswith(("?", "&")) else "&"
    return f"{uri}{joint}{_encoded(fields)}" if fields else uri


def with_fragment(uri: str, fields: Mapping[str, str]) -> str:
    """The URI with a fragment; a registered one has none."""
    return f"{uri}#{_encoded(fields)}"


def _encoded(fields: Mapping[str, str]) -> str:
    """As `urlencode`, for names that need no quoting."""
    quoted = [f"{name}={_quoted_once(value) if name == 'iss' else quote_plus(value)}" for name, value in fields.items()]
    return "&".join(quoted)


@lru_cache(maxsize=1)  # our issuer: it took more than half of the whole
def _quoted_once(value: str) -> str:
    return quote_plus(value)


def _mending(client: Client, received: str) -> tuple[str, str]:
    """The command that registers the address, quoted for a shell, or else the reason why nobody could register it."""
    try:
        check_uri(received, "redirect_uri")
    except InvalidRequest as error:
        return "", error.description
    options = (f"--redirect-uri {shlex.quote(uri)}" for uri in (*client.redirect_uris, received))
    return f"sso client update {client.client_id} {' '.join(options)}", ""
