"""Which client is calling (RFC 6749 section 2.3): by Basic, by a secret in the body, or a public one by its id."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import unquote_plus

import structlog
from flask import Request

from sso_server.core.clients import Client, ClientDirectory
from sso_server.core.errors import InvalidClient, InvalidRequest
from sso_server.web.params import read_params
from sso_server.web.services import services


def read_client_form(request: Request, *, repeatable: tuple[str, ...] = ()) -> tuple[Client, dict[str, str]]:
    """The authenticated sender of a form, and the form; `repeatable`: see `params.read_all`. Raises InvalidRequest,
    InvalidClient, RequestEntityTooLarge."""
    if request.mimetype != "application/x-www-form-urlencoded":
        raise InvalidRequest("Send a body of type application/x-www-form-urlencoded.")
    form = read_params(request, repeatable=repeatable)
    return read_client(request, form), form


def read_client(request: Request, form: Mapping[str, str]) -> Client:
    """The authenticated sender; the log knows it from here on. Raises InvalidRequest, InvalidClient."""
    client = authenticate(request.headers.get("Authorization"), form, services().clients, services().clock.now())
    structlog.contextvars.bind_contextvars(client_id=client.client_id)
    return client


def authenticate(authorization: str | None, form: Mapping[str, str], clients: ClientDirectory, now: int) -> Client:
    """The client, by exactly one method. Raises InvalidRequest when there are two, InvalidClient when none holds."""
    client_id, secret = form.get("client_id", ""), form.get("client_secret")
    if authorization is not None:
        if secret is not None:
            raise InvalidRequest("Authenticate by the Authorization header or in the body, not both.")
        basic_id, secret = _basic(authorization)
        if client_id not in ("", basic_id):
            raise InvalidRequest("The body names another client than the Authorization header.")
        client_id = basic_id
    client = clients.find(client_id) if client_id else None
    if client is None:
        raise InvalidClient("Client authentication failed.", detail=f"no such client: {client_id[:80]!r}")
    # A public client has no secret; one that sends any has been mistaken for another.
    proven = client.public if secret is None else client.accepts_secret(secret, now)
    if not proven:
        raise InvalidClient("Client authentication failed.", detail=f"wrong or missing secret of {client_id!r}")
    return client


def _basic(authorization: str) -> tuple[str, str]:
    """Id and secret, both form-urlencoded inside the Basic scheme (RFC 6749 section 2.3.1)."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        decoded = ""
    client_id, colon, secret = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise InvalidClient("The Authorization header is not HTTP Basic.", detail="unreadable Authorization header")
    return unquote_plus(client_id), unquote_plus(secret)
