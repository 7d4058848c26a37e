"""From what somebody wished of a client's metadata (options, a file's entry) to the record, and how both show it.

A file's keys are the standards' names, as they are the record's; words of our own stand for what has none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from sso_server.core.client_metadata import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    FAPI2,
    NO_AUTHENTICATION,
    PRIVATE_KEY_JWT,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
    ClientMetadata,
)
from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest

ANY, NONE = "any", "none"
GRANT_WORDS = {
    AUTHORIZATION_CODE: AUTHORIZATION_CODE,
    REFRESH_TOKEN: REFRESH_TOKEN,
    CLIENT_CREDENTIALS: CLIENT_CREDENTIALS,
    "device_code": DEVICE_CODE,
    "token_exchange": TOKEN_EXCHANGE,
}
_OURS = ("registration_token_hash", "registered_with", "allowed_scopes", "allowed_grants")
MEMBERS = tuple(field.name for field in fields(ClientMetadata) if field.name not in _OURS)
"""What may be wished for, by name."""
_ABSENT = {
    "profile": NONE,
    "token_endpoint_auth_method": ANY,
    "token_endpoint_auth_signing_alg": ANY,
    "request_object_signing_alg": ANY,
    "userinfo_signed_response_alg": NONE,
}
_FOR_FAPI2 = {
    "token_endpoint_auth_method": PRIVATE_KEY_JWT,
    "require_pkce": True,
    "dpop_bound_access_tokens": True,
    "require_pushed_authorization_requests": True,
}


def type_of(member: str) -> type:
    """What stands in a file for it."""
    default = getattr(ClientMetadata(), member)
    return int if member == "default_max_age" else list if isinstance(default, tuple) else type(default)


def with_metadata(client: Client, wishes: Mapping[str, Any]) -> Client:
    """The record with these wishes instead of what it had; not yet checked. Raises InvalidRequest."""
    wanted = {name: _value(name, value) for name, value in wishes.items() if name in MEMBERS}
    more: dict[str, Any] = {}
    if wanted.get("profile") == FAPI2:
        wanted = _FOR_FAPI2 | wanted
        if client.id_token_alg == "RS256" and "id_token_alg" not in wishes:
            more["id_token_alg"] = "ES256"
    if REFRESH_TOKEN in wanted.get("grant_types", ()):
        wanted["grant_types"] = tuple(grant for grant in wanted["grant_types"] if grant != REFRESH_TOKEN)
        more |= {} if "refresh_tokens" in wishes else {"refresh_tokens": True}
    method = wanted.get("token_endpoint_auth_method", client.metadata.token_endpoint_auth_method)
    if "public" in wishes and "token_endpoint_auth_method" not in wanted:
        # Public is to authenticate by none, and confidential to do so by something.
        wanted["token_endpoint_auth_method"] = "" if wishes["public"] or method == NO_AUTHENTICATION else method
    elif "token_endpoint_auth_method" in wanted and "public" not in wishes and method:
        more["public"] = method == NO_AUTHENTICATION
    return replace(client, metadata=replace(client.metadata, **wanted), **more)


def keeping_registration(said: ClientMetadata, was: ClientMetadata) -> ClientMetadata:
    """With what a client that registered itself manages itself by: no file has that."""
    return replace(said, **{name: getattr(was, name) for name in _OURS})


def _value(name: str, value: Any) -> Any:
    if value == _ABSENT.get(name):
        return ""
    if name == "grant_types":
        return tuple(GRANT_WORDS.get(word, word) for word in value if word)
    if name == "localized":
        return tuple(_pair(text) for text in value if text)
    if name == "default_max_age":
        return None if value < 0 else value
    # An empty one on the command line stands for none.
    return tuple(one for one in value if one) if isinstance(value, tuple) else value


def _pair(text: str) -> tuple[str, str]:
    name, equals, words = text.partition("=")
    if not equals:
        raise InvalidRequest(f"localized {text!r} is not NAME#LANGUAGE=TEXT.")
    return name, words


def shown(said: ClientMetadata) -> dict[str, Any]:
    """As programs read it: all members, under their own names."""
    words: dict[str, Any] = {name: getattr(said, name) for name in (*MEMBERS, "registered_with")}
    words |= {name: list(value) for name, value in words.items() if isinstance(value, tuple)}
    return words | {"jwks": json.loads(said.jwks) if said.jwks else None, "localized": dict(said.localized)}


def metadata_fields(said: ClientMetadata) -> list[tuple[str, str]]:
    """As people read it: what isn't as with everybody."""
    plain = ClientMetadata()
    found = [(name, getattr(said, name)) for name in MEMBERS if getattr(said, name) != getattr(plain, name)]
    found += [("registered with", said.registered_with)] if said.registered_with else []
    return [(name.replace("_", " "), metadata_word(name, value)) for name, value in found]


def metadata_word(name: str, value: Any) -> str:
    """A member's value in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "jwks" and value:
        return f"{len(json.loads(value)['keys'])} keys"
    if name == "grant_types":
        known = {grant: word for word, grant in GRANT_WORDS.items()}
        return " ".join(known.get(grant, grant) for grant in value)
    if name == "localized":
        return ", ".join(f"{tagged}={text}" for tagged, text in value) or NONE
    if isinstance(value, tuple):
        return " ".join(value) or NONE
    return NONE if value in ("", None) else str(value)
