"""A request in a JWT that the client signed (RFC 9101, OpenID Connect Core 1.0 section 6.1), made into parameters.

Whose key signed it is `ClientKeys`' to say. By value only: by reference we take our own, pushed ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any, Protocol

from sso_server.core.client_metadata import FAPI2
from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest
from sso_server.core.policy import HOUR, SECOND

TYPE = "oauth-authz-req+jwt"
#: Never a MAC: secrets are only kept as digests. Never `none` (RFC 9101 section 10.2).
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
#: FAPI 2.0 Security Profile section 5.4.1.
FAPI_ALGORITHMS = ("PS256", "ES256", "EdDSA")
#: Of the client's clock; ours and theirs need not agree to the second.
_SLACK_MS = 30 * SECOND
# RFC 9101 section 4: neither may stand inside, or the request would never end.
_NESTED = ("request", "request_uri")
#: More characters than any good one has; it is one value of a form or an address.
MAX_LENGTH = 16 * 1024


class Verify(Protocol):
    """`ports.ClientKeys.verify`."""

    def __call__(
        self, client: Client, token: str, *, algs: Collection[str], typ: str | None = None
    ) -> dict[str, Any] | None:
        """The claims, or None."""


def read_request_object(
    token: str, client: Client, *, issuer: str, now: int, verify: Verify, known: Collection[str]
) -> dict[str, str]:
    """The parameters that it holds, of those `known`; `now` in ms. Raises InvalidRequest with the code
    `invalid_request_object`, or `request_not_supported` if this one could never be checked."""
    if not (client.metadata.jwks or client.metadata.jwks_uri):
        raise InvalidRequest("No keys are registered for this client.", code="request_not_supported")
    if _is_unsigned(token):
        raise InvalidRequest("A request object must be signed.", code="request_not_supported")
    claims = verify(client, token, algs=_algorithms(client), typ=TYPE) if len(token) <= MAX_LENGTH else None
    if claims is None:
        raise _refused("It is not signed with a key and an algorithm of this client.")
    problem = _problem(claims, client, issuer, now)
    if problem:
        raise _refused(problem)
    return {name: _text(name, claims[name]) for name in known if name in claims and claims[name] not in ("", None)}


def counts_alone(client: Client) -> bool:
    """Whether nothing that stands beside the object counts. OpenID Connect lets parameters outside fill in what is
    missing (Core 1.0 section 6.1); of a client that must sign, nothing unsigned is taken (RFC 9101 section 6.3)."""
    return client.metadata.require_signed_request_object or client.metadata.profile == FAPI2


def _algorithms(client: Client) -> tuple[str, ...]:
    allowed = FAPI_ALGORITHMS if client.metadata.profile == FAPI2 else ALGORITHMS
    registered = client.metadata.request_object_signing_alg
    return tuple(alg for alg in allowed if registered in ("", alg))


def _problem(claims: dict[str, Any], client: Client, issuer: str, now: int) -> str:
    """What is wrong with it, the first thing found; empty: nothing."""
    strict = client.metadata.profile == FAPI2
    audience = claims.get("aud", "" if strict else issuer)
    refusals: tuple[tuple[Callable[[], bool], str], ...] = (
        (lambda: any(name in claims for name in _NESTED), "A request object can't hold another one."),
        # Section 4: who signed is who asks; and an assertion of the client's is no request (section 10.8).
        (lambda: claims.get("iss", "" if strict else client.client_id) != client.client_id, "iss is not the client."),
        (lambda: claims.get("client_id", client.client_id) != client.client_id, "client_id is another client."),
        (lambda: claims.get("sub") == client.client_id, "It names the client as its subject, as an assertion does."),
        (lambda: issuer not in (audience if isinstance(audience, list) else [audience]), "aud is not this issuer."),
        (lambda: not _are_times(claims), "exp, nbf or iat is not a number."),
        (lambda: strict and not {"exp", "nbf"} <= set(claims), "exp and nbf are required."),
        (lambda: claims.get("exp", now) * 1000 <= now - _SLACK_MS, "It has expired."),
        (lambda: claims.get("nbf", 0) * 1000 > now + _SLACK_MS, "It isn't good yet."),
        (lambda: claims.get("iat", 0) * 1000 > now + _SLACK_MS, "It was made in the future."),
        # FAPI 2.0 Message Signing section 5.3.1: nobody may keep one for later.
        (lambda: strict and claims["nbf"] * 1000 < now - HOUR, "nbf is too long ago."),
        (lambda: strict and (claims["exp"] - claims["nbf"]) * 1000 > HOUR, "It lives for too long."),
    )
    return next((description for refused, description in refusals if refused()), "")


def _are_times(claims: dict[str, Any]) -> bool:
    times = (claims[name] for name in ("exp", "nbf", "iat") if name in claims)
    # A float may be no finite number, and then nothing can be compared with it.
    return all(isinstance(at, int | float) and not isinstance(at, bool) and 0 <= at < 1e12 for at in times)


def _is_unsigned(token: str) -> bool:
    """The header names `none`, or there is no signature at all."""
    return token.endswith(".") and token.count(".") == 2


def _text(name: str, value: object) -> str:
    """A member as the parameter that it stands for (RFC 9101 section 4): numbers and objects are JSON."""
    if name == "resource" and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " ".join(value)
    if isinstance(value, str):
        return value
    if name == "claims" and isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if name == "max_age" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _refused(f"{name} is of a wrong type.")


def _refused(problem: str) -> InvalidRequest:
    return InvalidRequest(f"The request object is refused. {problem}", code="invalid_request_object")
