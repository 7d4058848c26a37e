"""An access token as it comes to an endpoint of ours that it opens: Bearer (RFC 6750) or DPoP (RFC 9449 section 7).

What it opens is the endpoint's business.
"""

from __future__ import annotations

from flask import Blueprint, Request, Response, request

from sso_server.core.dpop import InvalidProof
from sso_server.core.errors import InsufficientScope, InvalidRequest, InvalidToken, LockstepError
from sso_server.core.tokens import FoundToken
from sso_server.web.dpop import ALGS, install_nonces, read_proof
from sso_server.web.json_errors import REALM, json_error, printable
from sso_server.web.params import read_params
from sso_server.web.responses import json_answer
from sso_server.web.services import services


class _NoToken(LockstepError):
    """Nothing was presented: the caller is told how, and no error code (RFC 6750 section 3.1)."""

    code = "invalid_token"


class _InvalidBoundToken(InvalidToken):
    """The same for a token that was presented with the DPoP scheme."""


def read_token(request: Request) -> FoundToken:
    """The token that the request presents, valid now and, if it is bound to a key, with that key's proof. Raises
    InvalidRequest, InvalidToken, InvalidProof, Unavailable."""
    scheme, token = _presented(request)
    tokens = services().tokens
    if scheme == "bearer":
        found = tokens.get_access(token)
        if found.details.jkt:
            # RFC 9449 section 7.2: else whoever has stolen it would just leave the proof out.
            raise InvalidToken("The access token is bound to a key; present it with the DPoP scheme and a proof.")
        return found
    try:
        found = tokens.get_access(token)
    except InvalidToken as error:
        raise _InvalidBoundToken(error.description) from None
    if not found.details.jkt:
        raise _InvalidBoundToken("The access token is bound to no key; present it with the Bearer scheme.")
    if not read_proof(request, token=token, jkt=found.details.jkt):
        raise InvalidProof("Send a DPoP proof beside the access token.")
    return found


def _presented(request: Request) -> tuple[str, str]:
    """Scheme and token, from the header or the form, never from the query (RFC 9700 section 4.3.2). Raises on none or
    two."""
    scheme, _, from_header = request.headers.get("Authorization", "").partition(" ")
    from_form = ""
    if request.method == "POST" and request.mimetype == "application/x-www-form-urlencoded":
        from_form = read_params(request).get("access_token", "")
    scheme = scheme.lower()
    header_token = from_header.strip() if scheme in ("bearer", "dpop") else ""
    if header_token and from_form:
        raise InvalidRequest("Send the token in the header or in the form, not both.")
    if not header_token and not from_form:
        raise _NoToken("No access token was sent.")
    return (scheme, header_token) if header_token else ("bearer", from_form)


def install_challenges(blueprint: Blueprint) -> None:
    """Refusals of this blueprint are 401, or 403 for too little scope, with the challenges that belong to them (RFC
    6750 section 3, RFC 9449 section 7.1)."""
    blueprint.register_error_handler(_NoToken, _no_token)
    blueprint.register_error_handler(_InvalidBoundToken, _with_dpop)
    blueprint.register_error_handler(InvalidProof, _with_dpop)
    blueprint.register_error_handler(InvalidToken, _with_bearer)
    blueprint.register_error_handler(InsufficientScope, _with_scope)
    install_nonces(blueprint)


def _no_token(error: LockstepError) -> Response:
    return _challenged(json_answer({"error_description": error.description}, 401), "Bearer", f"DPoP {ALGS}")


def _with_bearer(error: LockstepError) -> Response:
    return _challenged(json_error(error), f"Bearer {_said(error)}", f"DPoP {ALGS}")


def _with_dpop(error: LockstepError) -> Response:
    return _challenged(json_error(error), f"DPoP {_said(error)}, {ALGS}")


def _with_scope(error: LockstepError) -> Response:
    scheme = "DPoP" if request.headers.get("Authorization", "").lower().startswith("dpop ") else "Bearer"
    return _challenged(json_error(error), f'{scheme} {_said(error)}, scope="openid"', status=403)


def _said(error: LockstepError) -> str:
    return f'error="{error.code}", error_description="{printable(error.description)}"'


def _challenged(response: Response, *challenges: str, status: int = 401) -> Response:
    response.status_code = status
    for challenge in challenges:
        scheme, _, rest = challenge.partition(" ")
        response.headers.add("WWW-Authenticate", f'{scheme} realm="{REALM}"' + (f", {rest}" if rest else ""))
    return response
