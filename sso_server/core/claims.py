"""Which claims a scope opens (OpenID Connect Core 1.0 section 5.4), and which attributes a CAS service gets.

Only what is known is said; to OpenID Connect sites `sub` always.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sso_server.core.errors import InvalidRequest
from sso_server.core.users import User

if TYPE_CHECKING:
    from sso_server.core.clients import Client

SCOPES = ("openid", "profile", "email", "groups", "offline_access")
CLAIMS = ("sub", "preferred_username", "name", "locale", "email", "email_verified", "groups")
# An XML name without a colon, in ASCII: it becomes an element of the answer (CAS 3.0.3 appendix B).
_ATTRIBUTE_NAME = re.compile(r"(?![Xx][Mm][Ll])[A-Za-z_][A-Za-z0-9._-]{0,63}")
# What every validation says of the session; nothing about the person may take their place (section 2.5.7).
_OF_THE_SESSION = (
    "authenticationDate",
    "longTermAuthenticationRequestTokenUsed",
    "isFromNewLogin",
    "sid",
    "session_expires_in",
    "auth_time_ms",
)


def claims_for(user: User, scope: tuple[str, ...]) -> dict[str, object]:
    """The person's claims that these scopes open."""
    claims: dict[str, object] = {"sub": user.user_id}
    if "profile" in scope:
        claims["preferred_username"] = user.username
        claims["name"] = user.name or user.username
        if user.locale:
            claims["locale"] = user.locale
    if "email" in scope and user.email:
        claims["email"] = user.email
        claims["email_verified"] = user.email_verified
    if "groups" in scope:
        claims["groups"] = list(user.groups)
    return claims


def granted_scope(requested: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes asked for that the client may have, in the order asked, once each (RFC 6749 section 3.3)."""
    return tuple(dict.fromkeys(s for s in requested.split() if s in allowed))


def attributes_for(user: User, client: Client) -> dict[str, list[str]]:
    """What a CAS validation says of the person (CAS 3.0.3 section 2.5.7): name -> values, never an empty list.

    The client's own list if it has one; else every claim that its scopes open, under its own name, without `sub`.
    """
    if client.cas_attributes:
        known = claims_for(user, SCOPES)
        pairs = [_name_and_claim(spec) for spec in client.cas_attributes]
    else:
        known = claims_for(user, client.scopes)
        pairs = [(claim, claim) for claim in known if claim != "sub"]
    found = {name: _values(known[claim]) for name, claim in pairs if claim in known}
    return {name: values for name, values in found.items() if values}


def check_attributes(specs: tuple[str, ...]) -> None:
    """Each is `NAME` or `NAME=CLAIM`, of a claim that there is, no name twice. Raises InvalidRequest."""
    names = [_name_and_claim(spec)[0] for spec in specs]
    for spec in specs:
        name, claim = _name_and_claim(spec)
        if _ATTRIBUTE_NAME.fullmatch(name) is None or name in _OF_THE_SESSION:
            raise InvalidRequest(f"cas_attribute {spec!r}: an attribute can't be called {name!r}.")
        if claim not in CLAIMS:
            raise InvalidRequest(f"cas_attribute {spec!r}: there is no claim {claim!r}, but: {', '.join(CLAIMS)}.")
        if names.count(name) > 1:
            raise InvalidRequest(f"cas_attribute {name!r} is named twice.")


def _name_and_claim(spec: str) -> tuple[str, str]:
    name, _, claim = spec.partition("=")
    return name, claim or name


def _values(value: object) -> list[str]:
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [str(one) for one in value if one] if isinstance(value, list) else [str(value)]
