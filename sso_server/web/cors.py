"""Which scripts in browsers may read our answers to programs (Fetch standard, CORS): those of registered sites.

Cookies are never part of such a call: what opens anything is in the request itself, a token or a code.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from sso_server.core.frontchannel import origin_of
from sso_server.web.services import services

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP",
    "Access-Control-Max-Age": "600",
}


def install_cors(blueprint: Blueprint) -> None:
    """For all addresses of this blueprint."""
    blueprint.after_request(_allow)


def _allow(response: Response) -> Response:
    response.headers.add("Vary", "Origin")
    origin = request.environ.get("HTTP_ORIGIN", "")
    if not origin or not _is_of_a_site(origin):
        return response
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = "WWW-Authenticate, DPoP-Nonce, Retry-After"
    if request.method == "OPTIONS":
        response.headers.update(_PREFLIGHT)
    return response


def _is_of_a_site(origin: str) -> bool:
    """Whether a registered site is there; the address of an app with a scheme of its own is no origin."""
    return any(origin == origin_of(uri) for client in services().clients.all() for uri in client.redirect_uris)
