"""Which client is calling (RFC 6749 section 2.3): by Basic, by a secret or an assertion in the body, or a public one by
its id; always by exactly one of them, and by the registered one if one is registered.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import unquote_plus

import structlog
from flask import Request

from sso_server.core.client_assertions import ASSERTION_TYPE, claimed_client_id
from sso_server.core.client_metadata import FAPI2, NO_AUTHENTICATION, PRIVATE_KEY_JWT, SECRET_BASIC, SECRET_POST
from sso_server.core.clients import Client, ClientDirectory
from sso_server.core.errors import InvalidClient, InvalidRequest
from sso_server.web.json_body import parse_object, read_body
from sso_server.web.params import read_params
from sso_server.web.services import services

#: characters: a JWT of ours that names many APIs, or a client's assertion
MAX_SIGNED = 16_384
#: By which a client proves who it is in a body (RFC 6749 section 2.3.1, RFC 7521 section 4.2).
_CREDENTIALS = ("client_id", "client_secret", "client_assertion_type", "client_assertion")


def read_client_form(
    request: Request, *, repeatable: tuple[str, ...] = (), max_value: int = MAX_SIGNED, max_total: int = 2 * MAX_SIGNED
) -> tuple[Client, dict[str, str]]:
    """The authenticated sender of a form, and the form; the rest as `params.read_all`. Raises InvalidRequest,
    InvalidClient, RequestEntityTooLarge."""
    if request.mimetype != "application/x-www-form-urlencoded":
        raise InvalidRequest("Send a body of type application/x-www-form-urlencoded.")
    form = read_params(request, repeatable=repeatable, max_value=max_value, max_total=max_total)
    return read_client(request, form), form


def read_json_sender(request: Request) -> Client:
    """The authenticated sender of a JSON body: by Basic, or by members of the body as they would be parameters of a
    form. Raises InvalidRequest, InvalidClient, RequestEntityTooLarge."""
    if "Authorization" in request.headers:
        # The usual way: of whoever can't prove it nothing large is read.
        return read_client(request, {})
    try:
        members = parse_object(read_body(request))
    except InvalidRequest:
        members = {}
    said = {name: members[name] for name in _CREDENTIALS if isinstance(members.get(name), str) and members[name]}
    return read_client(request, said)


def read_client(request: Request, form: Mapping[str, str]) -> Client:
    """The authenticated sender; the log knows it from here on. Raises InvalidRequest, InvalidClient."""
    authorization, here = request.headers.get("Authorization"), services()
    if "client_assertion" in form or "client_assertion_type" in form:
        client = _by_assertion(authorization, form, here.policy.issuer + request.path)
    else:
        client = authenticate(authorization, form, here.clients, here.clock.now())
    structlog.contextvars.bind_contextvars(client_id=client.client_id)
    return client


def authenticate(authorization: str | None, form: Mapping[str, str], clients: ClientDirectory, now: int) -> Client:
    """The client, by its secret or, if it is public, by its id. Raises InvalidRequest when there are two methods,
    InvalidClient when none holds."""
    client_id, secret = form.get("client_id", ""), form.get("client_secret")
    method = NO_AUTHENTICATION if secret is None else SECRET_POST
    if authorization is not None:
        if secret is not None:
            raise InvalidRequest("Authenticate by the Authorization header or in the body, not both.")
        basic_id, secret = _basic(authorization)
        if client_id not in ("", basic_id):
            raise InvalidRequest("The body names another client than the Authorization header.")
        client_id, method = basic_id, SECRET_BASIC
    client = _known(client_id, clients, method)
    # A public client has no secret; one that sends any has been mistaken for another.
    proven = client.public if secret is None else client.accepts_secret(secret, now)
    if not proven:
        raise InvalidClient("Client authentication failed.", detail=f"wrong or missing secret of {client_id!r}")
    return client


def _by_assertion(authorization: str | None, form: Mapping[str, str], endpoint: str) -> Client:
    """The client, by a JWT that it signed (RFC 7523 section 2.2). Raises as `authenticate`, and Unavailable."""
    if authorization is not None or "client_secret" in form:
        raise InvalidRequest("Authenticate by a client assertion or by a secret, not both.")
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        raise InvalidClient(
            "Client authentication failed.", detail="client_assertion or its type is missing or unknown"
        )
    assertion = form["client_assertion"]
    # RFC 7521 section 4.2: `client_id` need not be sent; if it is, it names the same client (`sub` is checked below).
    client = _known(form.get("client_id") or claimed_client_id(assertion), services().clients, PRIVATE_KEY_JWT)
    services().client_assertions.check(client, assertion, endpoint)
    return client


def _known(client_id: str, clients: ClientDirectory, method: str) -> Client:
    """The client, if it may come by this method. Raises InvalidClient."""
    client = clients.find(client_id) if client_id else None
    if client is None:
        raise InvalidClient("Client authentication failed.", detail=f"no such client: {client_id[:80]!r}")
    if not _may_use(client, method):
        raise InvalidClient("Client authentication failed.", detail=f"{method} is not the way of {client_id!r}")
    return client


def _may_use(client: Client, method: str) -> bool:
    registered = client.metadata.token_endpoint_auth_method
    if client.metadata.profile == FAPI2:
        # FAPI 2.0 section 5.3.2.1, item 6; there is no mutual TLS here.
        return method == PRIVATE_KEY_JWT
    if registered:
        # RFC 7591 section 2: what a client said it would use is what holds, or its weakest way would count.
        return method == registered
    return method == NO_AUTHENTICATION if client.public else method in (SECRET_BASIC, SECRET_POST)


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
