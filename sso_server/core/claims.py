"""Which claims a scope opens (OpenID Connect Core 1.0 section 5.4), and which attributes a CAS service gets.

Only what is known is said. Under which `sub` is `subjects`' affair, what a person's claims may be `profiles`'.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sso_server.core.claims_request import Wanted
from sso_server.core.errors import InvalidRequest
from sso_server.core.profiles import ADDRESS, read_profile
from sso_server.core.users import User

if TYPE_CHECKING:
    from sso_server.core.clients import Client

#: Scope -> the claims that it opens (section 5.4; `groups` is ours).
OPENED_BY: dict[str, tuple[str, ...]] = {
    "profile": (
        "name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
        "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
    "groups": ("groups",),
}  # fmt: skip
SCOPES = ("openid", *OPENED_BY, "offline_access")
CLAIMS = ("sub", *(claim for opened in OPENED_BY.values() for claim in opened))
# Of these CAS services hear without a list of their own.
_UNASKED = ("profile", "email", "groups")
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
    """The person's claims that these scopes open, as far as they are known. `sub` is `Subjects`' to say."""
    known = _known(user)
    return {claim: known[claim] for s in scope for claim in OPENED_BY.get(s, ()) if claim in known}


def asked_for(user: User, client: Client, wanted: Mapping[str, Wanted]) -> dict[str, object]:
    """The person's claims that were asked for one by one (section 5.5): those that the client's scopes could open, too.
    Nothing is an error, whether essential or not (section 5.5.1): what isn't known, or isn't as it should be, is not
    said."""
    if not wanted:
        return {}
    known, allowed = _known(user), {claim for scope in client.scopes for claim in OPENED_BY.get(scope, ())}
    return {
        claim: known[claim]
        for claim, how in wanted.items()
        if claim in known and claim in allowed and how.admits(known[claim])
    }


def _known(user: User) -> dict[str, object]:
    known: dict[str, object] = read_profile(user.profile) | {
        "preferred_username": user.username,
        "name": user.name or user.username,
        # A JSON number, of seconds (section 5.1).
        "updated_at": (user.updated_at or user.created_at) // 1000,
        "groups": list(user.groups),
    }
    known |= {"locale": user.locale} if user.locale else {}
    known |= {"email": user.email, "email_verified": user.email_verified} if user.email else {}
    if "phone_number" in known:
        known.setdefault("phone_number_verified", False)
    return known


def granted_scope(requested: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes asked for that the client may have, in the order asked, once each (RFC 6749 section 3.3)."""
    return tuple(dict.fromkeys(s for s in requested.split() if s in allowed))


def attributes_for(user: User, client: Client, sub: str) -> dict[str, list[str]]:
    """What a CAS validation says of the person (CAS 3.0.3 section 2.5.7): name -> values, never an empty list.

    The client's own list if it has one; else what `profile`, `email` and `groups` open, as far as they are its scopes,
    under the claims' own names. `sub`: the person's name for this client.
    """
    if client.cas_attributes:
        known = claims_for(user, SCOPES) | {"sub": sub}
        pairs = [_name_and_claim(spec) for spec in client.cas_attributes]
    else:
        # Nobody asks for a scope here: where people live and how to ring them is said only to whom an operator said so.
        known = claims_for(user, tuple(s for s in client.scopes if s in _UNASKED))
        pairs = [(claim, claim) for claim in known if claim != "updated_at"]
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
    if isinstance(value, dict):
        # An address: as a whole if it is known so, else its parts, a line each.
        parts = [value[name] for name in ADDRESS if name in value]
        value = parts[:1] if "formatted" in value else ["\n".join(parts)]
    return [str(one) for one in value if one] if isinstance(value, list) else [str(value)]
