"""The authorization request and its ordered checks: first what must never redirect, then what the site is told.

OpenID Connect Core 1.0 section 3.1.2, RFC 6749 section 4.1, RFC 7636, RFC 8707, RFC 9449, RFC 9700. Pure but for
look-ups handed in. Request objects and pushed requests have become parameters before (`received_request`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sso_server.core.acr import ACR_VALUES, meets
from sso_server.core.claims import granted_scope
from sso_server.core.claims_request import ClaimsRequest, parse
from sso_server.core.client_metadata import AUTHORIZATION_CODE, FAPI2
from sso_server.core.clients import Client, ClientDirectory
from sso_server.core.details import GrantDetails
from sso_server.core.errors import InvalidRequest
from sso_server.core.records import record
from sso_server.core.redirect_uris import redirect_matches
from sso_server.core.resources import audience_for, read_resources
from sso_server.core.sign_in import Wishes
from sso_server.fronts.oidc import pkce
from sso_server.fronts.oidc.errors import AuthorizationRefused, RedirectUriMismatch, ReturnAddress
from sso_server.fronts.oidc.id_token import Hint

RESPONSE_MODES = ("query", "form_post")
PROMPTS = ("none", "login", "consent", "select_account")
#: Our pages fit every window: any of them is obeyed by being ignored (OpenID Connect Core 1.0 section 3.1.2.1).
DISPLAYS = ("page", "popup", "touch", "wap")
#: All that a request may carry and that we read again after the sign-in page; anything else is ignored.
PARAMETERS = (
    "client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge",
    "code_challenge_method", "prompt", "max_age", "id_token_hint", "login_hint", "ui_locales", "acr_values", "claims",
    "resource", "dpop_jkt", "request", "request_uri", "registration",
)  # fmt: skip
_SECONDS = re.compile(r"[0-9]{1,9}")
#: RFC 9449 section 10: base64url of a SHA-256.
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


@record
class Received:
    """A request as it counts, and how it came to us."""

    params: Mapping[str, str]
    signed: bool = False
    """In a request object that the client signed (RFC 9101)."""
    pushed: str = ""
    """The slip's name, if the client pushed it (RFC 9126); empty: it came with the browser."""
    has_waited: bool = False
    """A pushed one that is back from one of our pages."""


@record
class AuthorizeRequest:
    """A request that has passed every check."""

    client: Client
    back: ReturnAddress
    scope: tuple[str, ...]
    nonce: str
    code_challenge: str
    wishes: Wishes
    """When it counts as made, and whether somebody else is meant, is for the front to say, which knows the session."""
    claims: ClaimsRequest
    hint_sub: str
    """The `sub` of the ID token that the site sent as a hint; empty: none."""
    acr_values: tuple[str, ...]
    """Wishes, in order of preference."""
    acr_must: tuple[object, ...]
    """One of these has to be met; empty: none has to."""
    details: GrantDetails
    """`acr` is for the front to say."""


def check(
    received: Received,
    *,
    issuer: str,
    clients: ClientDirectory,
    find_hint: Callable[[str], Hint | None],
    must_push: bool = False,
) -> AuthorizeRequest:
    """The request. Raises for the first thing wrong: InvalidRequest (a page) or AuthorizationRefused (a redirect).
    `must_push`: whoever the client is."""
    params = received.params
    client = find_asking(clients, params.get("client_id", ""))
    back = return_address(client, params, issuer)

    metadata = client.metadata
    prompt = frozenset(params.get("prompt", "").split())
    scope = _scope(client, params.get("scope", ""))
    hint = find_hint(params["id_token_hint"]) if "id_token_hint" in params else None
    pkce_problem = pkce.problem(client, params.get("code_challenge", ""), params.get("code_challenge_method", ""))
    must_push = must_push or metadata.require_pushed_authorization_requests or metadata.profile == FAPI2
    max_age, jkt = params.get("max_age", ""), params.get("dpop_jkt", "")
    mode = params.get("response_mode", "query")

    refusals = (
        (must_push and not received.pushed, "invalid_request", "This client has to push its requests (PAR)."),
        # Ignoring a request object would mean answering another request than the one that was signed.
        ("request" in params, "request_not_supported", "A request object can't be used here."),
        ("request_uri" in params, "request_uri_not_supported", "Only a request_uri of our own is understood."),
        (
            metadata.require_signed_request_object and not received.signed,
            "invalid_request",
            "This client has to sign its requests (a request object).",
        ),
        ("registration" in params, "registration_not_supported", "Self-issued clients are not supported."),
        ("response_type" not in params, "invalid_request", "response_type is missing."),
        (params.get("response_type") != "code", "unsupported_response_type", "Only the code flow is supported."),
        (AUTHORIZATION_CODE not in metadata.grant_types, "unauthorized_client", "This client may not sign people in."),
        (mode not in RESPONSE_MODES, "invalid_request", "response_mode is not supported."),
        ("openid" not in scope, "invalid_scope", "The scope must contain openid."),
        (bool(pkce_problem), "invalid_request", pkce_problem),
        # OpenID Connect Prompt Create 1.0 section 4: so is `create`, which discovery doesn't name.
        (not prompt.issubset(PROMPTS), "invalid_request", "prompt has a value that is not supported."),
        ("none" in prompt and len(prompt) > 1, "invalid_request", "prompt none goes with no other value."),
        (bool(max_age) and not _SECONDS.fullmatch(max_age), "invalid_request", "max_age is not a number of seconds."),
        ("id_token_hint" in params and hint is None, "invalid_request", "id_token_hint is not an ID token of ours."),
        (bool(jkt) and not _THUMBPRINT.fullmatch(jkt), "invalid_request", "dpop_jkt is not a SHA-256 thumbprint."),
    )
    for refused, code, description in refusals:
        if refused:
            raise AuthorizationRefused(code, description, back)
    resources = read_resources(params.get("resource", ""))
    try:
        claims = parse(params.get("claims", ""))
        audience_for(client, resources, clients, issuer)
    except InvalidRequest as error:
        raise AuthorizationRefused(error.code, error.description, back) from error
    acr_values, acr_must = _acr(client, params.get("acr_values", ""), claims)
    if acr_must and not any(meets(acr, acr_must) for acr in ACR_VALUES):
        # OpenID Connect Core 1.0 section 5.5.1.1: an essential class that can't be met is a failed sign-in.
        raise unmet_acr(back)
    return AuthorizeRequest(
        client=client,
        back=back,
        scope=scope,
        nonce=params.get("nonce", ""),
        code_challenge=params.get("code_challenge", ""),
        wishes=Wishes(prompt=prompt, max_age_s=int(max_age) if max_age else metadata.default_max_age),
        claims=claims,
        hint_sub=hint.user_id if hint else "",
        acr_values=acr_values,
        acr_must=acr_must,
        details=GrantDetails(claims=params.get("claims", ""), resources=resources, dpop_jkt=jkt),
    )


def find_asking(clients: ClientDirectory, client_id: str) -> Client:
    """The client that asks. Raises InvalidRequest (a page): nobody else than a known client is ever redirected to."""
    client = clients.find(client_id) if client_id else None
    if client is None or client.kind != "oidc":
        # As a page: to people it is the site that isn't known, and not a request that is damaged.
        words = "No site is registered under this client_id."
        raise InvalidRequest(words, detail=f"{client_id!r:.90}", code="invalid_client")
    return client


def return_address(client: Client, params: Mapping[str, str], issuer: str) -> ReturnAddress:
    """Where and how this request is answered. Raises RedirectUriMismatch."""
    redirect_uri, mode = params.get("redirect_uri", ""), params.get("response_mode", "")
    if not redirect_matches(client, redirect_uri):
        raise RedirectUriMismatch(client, redirect_uri)
    implicit = not {"token", "id_token"}.isdisjoint(params.get("response_type", "").split())
    return ReturnAddress(
        redirect_uri,
        params.get("state", ""),
        issuer,
        client.name,
        by_post=mode == "form_post",
        by_fragment=implicit and mode not in RESPONSE_MODES,
    )


def unmet_acr(back: ReturnAddress) -> AuthorizationRefused:
    """OpenID Connect Core Error Code unmet_authentication_requirements 1.0."""
    return AuthorizationRefused(
        "unmet_authentication_requirements", "No sign-in here meets the acr that is required.", back
    )


def _scope(client: Client, requested: str) -> tuple[str, ...]:
    """What is granted of it; nobody gets `offline_access` who may not refresh."""
    scope = granted_scope(requested, client.scopes)
    return scope if client.refresh_tokens else tuple(s for s in scope if s != "offline_access")


def _acr(client: Client, requested: str, claims: ClaimsRequest) -> tuple[tuple[str, ...], tuple[object, ...]]:
    """The classes that are wished for, and those of which one must be met (OpenID Connect Core 1.0 sections 3.1.2.1,
    5.5.1.1). What the client registered counts only where the request says nothing."""
    wanted = claims.id_token.get("acr")
    named = tuple(one for one in wanted.values if isinstance(one, str)) if wanted else ()
    wishes = (*named, *requested.split())
    must = wanted.values if wanted and wanted.essential else ()
    return wishes or client.metadata.default_acr_values, must
