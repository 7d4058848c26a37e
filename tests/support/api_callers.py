"""Access tokens as callers of an API send them, good and forged, and what the API's client says to them."""

import secrets
from typing import Any

import pytest

from sso_client import SSOError
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import new_sid

SCOPE = "openid groups orders:read"


def changed(value: Any) -> str:
    """A test's name by what it changes: the same in every process that collects it."""
    return value if isinstance(value, str) else " ".join(value)


def an_access_token(centre: FakeProvider, header: dict[str, Any] | None = None, key: Any = None, **changes: Any) -> str:
    """A JWT access token with changed claims; a change to None removes one."""
    now_s = int(centre.now_s())
    claims = {
        "iss": centre.issuer,
        "aud": [centre.issuer, centre.client_id],
        "sub": "usr-alice",
        "client_id": "caller",
        "iat": now_s,
        "exp": now_s + 300,
        "jti": secrets.token_hex(8),
        "scope": SCOPE,
        "sid": new_sid(),
    } | changes
    present = {name: value for name, value in claims.items() if value is not None}
    return centre.sign(present, {"typ": "at+jwt"} | (header or {}), key)


def refusal(client: Any, token: str | None, **options: Any) -> SSOError:
    with pytest.raises(SSOError) as raised:
        client.read_bearer(token and f"Bearer {token}", **options)
    return raised.value


def code_of(client: Any, token: str | None, **options: Any) -> str:
    return refusal(client, token, **options).code


def asked(centre: FakeProvider) -> int:
    return centre.calls("/introspect")
