"""The table behind /openapi.json: one row for each endpoint that programs call, with what it takes and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sso_server.fronts.oidc.openapi_fields import (
    AUTHENTICATION,
    AUTHORIZATION,
    CHECK_IN,
    END_SESSION,
    HINTED,
    METADATA,
    POLL,
    PUSHED,
    SERVICE,
    TEXT,
    TOKEN,
    URI,
    one_of,
)

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
_BY_CLIENT = ("client", "")


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of an endpoint. `fields` are the form's or the JSON body's members, without a body the query's."""

    name: str
    method: str
    path: str
    summary: str
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    body: str = ""
    answers: tuple[int, ...] = (200, 400)
    answer_type: tuple[str, ...] = (JSON,)
    security: tuple[str, ...] = ()
    """Names of schemes, any of which will do; the empty one: none is needed (a secret in the form, a public client)."""
    in_path: tuple[str, ...] = ()
    json_errors: bool = True


_XML = ("application/xml", JSON)
_CONFIGURATION = "/register/{client_id}"

OPERATIONS = (
    Operation(
        "discovery",
        "get",
        "/.well-known/openid-configuration",
        "Where everything is (OpenID Connect Discovery 1.0).",
        answers=(200, 304),
    ),
    Operation(
        "metadata",
        "get",
        "/.well-known/oauth-authorization-server",
        "The same document (RFC 8414).",
        answers=(200, 304),
    ),
    Operation("keys", "get", "/jwks.json", "Public keys (RFC 7517).", answers=(200, 304)),
    Operation("description", "get", "/openapi.json", "This description.", answers=(200, 304)),
    Operation(
        "authorize",
        "get",
        "/authorize",
        "Who is this? (OpenID Connect Core 1.0 section 3.1.2)",
        {**AUTHORIZATION, **PUSHED},
        ("client_id",),
        answers=(200, 303, 400),
        answer_type=("text/html",),
        json_errors=False,
    ),
    Operation(
        "authorize_by_post",
        "post",
        "/authorize",
        "The same as a form.",
        {**AUTHORIZATION, **PUSHED},
        ("client_id",),
        FORM,
        answers=(303, 400),
        answer_type=(),
        json_errors=False,
    ),
    Operation(
        "push_request",
        "post",
        "/par",
        "Keep an authorization request (RFC 9126).",
        {**AUTHORIZATION, **AUTHENTICATION},
        ("client_id",),
        FORM,
        (201, 400, 401),
        security=_BY_CLIENT,
    ),
    Operation(
        "token",
        "post",
        "/token",
        "Tokens for what the client brings (RFC 6749 section 3.2).",
        {**TOKEN, **AUTHENTICATION},
        ("grant_type",),
        FORM,
        (200, 400, 401),
        security=_BY_CLIENT,
    ),
    Operation(
        "device_authorization",
        "post",
        "/device-authorization",
        "Codes for a device without a browser (RFC 8628).",
        {"scope": TEXT, "resource": URI, **AUTHENTICATION},
        (),
        FORM,
        (200, 400, 401, 429),
        security=_BY_CLIENT,
    ),
    Operation(
        "userinfo",
        "get",
        "/userinfo",
        "Claims of the person (OpenID Connect Core 1.0 section 5.3).",
        answers=(200, 400, 401, 403),
        answer_type=(JSON, "application/jwt"),
        security=("bearer",),
    ),
    Operation(
        "userinfo_by_post",
        "post",
        "/userinfo",
        "The same, the token perhaps in the form.",
        {"access_token": TEXT},
        (),
        FORM,
        (200, 400, 401, 403),
        (JSON, "application/jwt"),
        ("bearer", ""),
    ),
    Operation(
        "introspect",
        "post",
        "/introspect",
        "What a token is worth (RFC 7662).",
        {**HINTED, **AUTHENTICATION},
        ("token",),
        FORM,
        (200, 400, 401),
        security=_BY_CLIENT,
    ),
    Operation(
        "revoke",
        "post",
        "/revoke",
        "End a token, or a refresh token with its whole grant (RFC 7009).",
        {**HINTED, **AUTHENTICATION},
        ("token",),
        FORM,
        (200, 400, 401),
        answer_type=(),
        security=_BY_CLIENT,
    ),
    Operation(
        "register",
        "post",
        "/register",
        "A client registers itself (RFC 7591).",
        METADATA,
        ("redirect_uris",),
        JSON,
        (201, 400, 401, 403, 429),
        security=("registration", ""),
    ),
    Operation(
        "read_client",
        "get",
        _CONFIGURATION,
        "What is registered (RFC 7592).",
        answers=(200, 401, 404),
        security=("registration",),
        in_path=("client_id",),
    ),
    Operation(
        "update_client",
        "put",
        _CONFIGURATION,
        "Register it anew (RFC 7592).",
        {"client_id": TEXT, **METADATA},
        ("client_id", "redirect_uris"),
        JSON,
        (200, 400, 401, 404, 409),
        security=("registration",),
        in_path=("client_id",),
    ),
    Operation(
        "delete_client",
        "delete",
        _CONFIGURATION,
        "Take it out (RFC 7592).",
        answers=(204, 401, 404),
        security=("registration",),
        in_path=("client_id",),
    ),
    Operation(
        "end_session",
        "get",
        "/end-session",
        "A site signs its person out (RP-Initiated Logout 1.0).",
        END_SESSION,
        answers=(200, 303, 400),
        answer_type=("text/html",),
        json_errors=False,
    ),
    Operation(
        "end_session_by_post",
        "post",
        "/end-session",
        "The same as a form.",
        END_SESSION,
        (),
        FORM,
        (200, 303, 400),
        ("text/html",),
        json_errors=False,
    ),
    Operation(
        "check_in",
        "post",
        "/check-in",
        "A site's store tells what it served and hears what to end.",
        CHECK_IN,
        ("store",),
        JSON,
        (200, 400, 401),
        security=("client",),
    ),
    Operation(
        "poll",
        "post",
        "/poll",
        "A site without the SDK asks for its sign-outs (RFC 8936).",
        POLL,
        (),
        JSON,
        (200, 400, 401),
        security=("client",),
    ),
    Operation(
        "client_test",
        "post",
        "/client-test",
        "A site's doctor compares settings, and has the site called.",
        {"settings": {"type": "object"}, "call": {"type": "boolean"}},
        (),
        JSON,
        (200, 400, 401, 429),
        security=("client",),
    ),
    Operation(
        "cas_login",
        "get",
        "/cas/login",
        "Who is this? (CAS 3.0.3 section 2.1)",
        {"service": URI, "renew": TEXT, "gateway": TEXT, "method": one_of("GET", "POST")},
        answers=(200, 303, 400),
        answer_type=("text/html",),
        json_errors=False,
    ),
    Operation(
        "cas_logout",
        "get",
        "/cas/logout",
        "Sign out (CAS 3.0.3 section 2.3).",
        {"service": URI},
        answers=(200, 303, 400),
        answer_type=("text/html",),
        json_errors=False,
    ),
    Operation(
        "cas_validate",
        "get",
        "/cas/validate",
        "yes or no (CAS 3.0.3 section 2.4).",
        SERVICE,
        answer_type=("text/plain",),
        answers=(200,),
    ),
    Operation(
        "cas_service_validate",
        "get",
        "/cas/serviceValidate",
        "Whose ticket is this? (CAS 3.0.3 section 2.5)",
        {**SERVICE, "pgtUrl": URI},
        answer_type=_XML,
        answers=(200,),
    ),
    Operation(
        "cas_proxy_validate",
        "get",
        "/cas/proxyValidate",
        "Also of a proxy ticket (section 2.6).",
        {**SERVICE, "pgtUrl": URI},
        answer_type=_XML,
        answers=(200,),
    ),
    Operation(
        "cas_p3_service_validate",
        "get",
        "/cas/p3/serviceValidate",
        "The same with attributes (section 2.8).",
        {**SERVICE, "pgtUrl": URI},
        answer_type=_XML,
        answers=(200,),
    ),
    Operation(
        "cas_p3_proxy_validate",
        "get",
        "/cas/p3/proxyValidate",
        "The same with attributes (section 2.9).",
        {**SERVICE, "pgtUrl": URI},
        answer_type=_XML,
        answers=(200,),
    ),
    Operation(
        "cas_proxy",
        "get",
        "/cas/proxy",
        "A proxy ticket (section 2.7).",
        {"pgt": TEXT, "targetService": URI},
        answer_type=_XML,
        answers=(200,),
    ),
    Operation("healthz", "get", "/healthz", "This process answers.", answers=(200,)),
    Operation("readyz", "get", "/readyz", "It can do its work.", answers=(200,)),
)
