"""The authorization request and its ordered checks: first what must never redirect, then what the site is told.

OpenID Connect Core 1.0 section 3.1.2, RFC 6749 section 4.1, RFC 7636, RFC 9700. Pure but for two look-ups handed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sso_server.core.claims import granted_scope
from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest
from sso_server.core.sign_in import Wishes
from sso_server.fronts.oidc import pkce
from sso_server.fronts.oidc.errors import AuthorizationRefused, RedirectUriMismatch, ReturnAddress
from sso_server.fronts.oidc.id_token import Hint

RESPONSE_MODES = ("query", "form_post")
PROMPTS = ("none", "login", "consent", "select_account")
#: All that a request may carry and that we read again after the sign-in page; anything else is ignored.
PARAMETERS = (
    "client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge",
    "code_challenge_method", "prompt", "max_age", "id_token_hint", "login_hint", "ui_locales",
    "request", "request_uri", "registration",
)  # fmt: skip
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class AuthorizeRequest:
    """A request that has passed every check."""

    client: Client
    back: ReturnAddress
    scope: tuple[str, ...]
    nonce: str
    code_challenge: str
    wishes: Wishes
    """When it counts as made is for the front to say, which knows the session."""


def check(
    params: Mapping[str, str],
    *,
    issuer: str,
    find_client: Callable[[str], Client | None],
    find_hint: Callable[[str], Hint | None],
) -> AuthorizeRequest:
    """The request. Raises for the first thing wrong: InvalidRequest (a page) or AuthorizationRefused (a redirect)."""
    client = find_client(params.get("client_id", ""))
    if client is None or client.kind != "oidc":
        raise InvalidRequest("No site is registered under this client_id.", detail=f"{params.get('client_id')!r:.90}")
    redirect_uri, mode = _registered(client, params.get("redirect_uri", "")), params.get("response_mode", "query")
    back = ReturnAddress(redirect_uri, params.get("state", ""), issuer, client.name, by_post=mode == "form_post")

    prompt = frozenset(params.get("prompt", "").split())
    scope = _scope(client, params.get("scope", ""))
    nonce, challenge = params.get("nonce", ""), params.get("code_challenge", "")
    hint = find_hint(params["id_token_hint"]) if "id_token_hint" in params else None
    pkce_problem = pkce.problem(client, challenge, params.get("code_challenge_method", ""), nonce)

    refusals = (
        # Ignoring a request object would mean answering another request than the one that was signed.
        ("request" in params, "request_not_supported", "Request objects are not supported."),
        ("request_uri" in params, "request_uri_not_supported", "Request objects are not supported."),
        ("registration" in params, "registration_not_supported", "Self-issued clients are not supported."),
        ("response_type" not in params, "invalid_request", "response_type is missing."),
        (params.get("response_type") != "code", "unsupported_response_type", "Only the code flow is supported."),
        (mode not in RESPONSE_MODES, "invalid_request", "response_mode is not supported."),
        ("openid" not in scope, "invalid_scope", "The scope must contain openid."),
        (bool(pkce_problem), "invalid_request", pkce_problem),
        (not prompt <= set(PROMPTS), "invalid_request", "prompt has a value that is not supported."),
        ("none" in prompt and len(prompt) > 1, "invalid_request", "prompt none goes with no other value."),
        (not _SECONDS.fullmatch(params.get("max_age", "0")), "invalid_request", "max_age is not a number of seconds."),
        ("id_token_hint" in params and hint is None, "invalid_request", "id_token_hint is not an ID token of ours."),
    )
    for refused, code, description in refusals:
        if refused:
            raise AuthorizationRefused(code, description, back)
    wishes = Wishes(
        prompt=prompt,
        max_age_s=int(params["max_age"]) if "max_age" in params else None,
        hint_user_id=hint.user_id if hint else "",
    )
    return AuthorizeRequest(client, back, scope, nonce, challenge, wishes)


def _registered(client: Client, received: str) -> str:
    """The redirect_uri if it is a registered one, character by character (RFC 9700 section 2.1)."""
    if received not in client.redirect_uris:
        raise RedirectUriMismatch(client, received)
    return received


def _scope(client: Client, requested: str) -> tuple[str, ...]:
    """What is granted of it; nobody gets `offline_access` who may not refresh."""
    scope = granted_scope(requested, client.scopes)
    return scope if client.refresh_tokens else tuple(s for s in scope if s != "offline_access")
