"""GET /openapi.json: every endpoint for programs, as OpenAPI 3.1. What stands there is `openapi_operations`'s."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, request

from sso_server.fronts.oidc.openapi_fields import Operation
from sso_server.fronts.oidc.openapi_operations import OPERATIONS
from sso_server.fronts.oidc.public_metadata import public_answer
from sso_server.web.json_errors import install_json_errors
from sso_server.web.services import services

blueprint = Blueprint("oidc_openapi", __name__)
install_json_errors(blueprint)

_ANSWERS = {
    200: "Done.",
    201: "Made.",
    204: "Done; there is nothing to say.",
    303: "Go there next.",
    304: "As you have it.",
    307: "Go there with the same form.",
    400: "Something in the request is missing, wrong, or no longer good.",
    401: "The client, or the token, was not proven.",
    403: "Known, but not allowed.",
    404: "There is no such thing.",
    405: "Not with this method; Allow names those that work.",
    409: "Changed by somebody else at the same time: read it and try again.",
    413: "Too large.",
    415: "A body of another type is needed.",
    429: "Too often; Retry-After says when to come again.",
    503: "A store is away; Retry-After says when to come again, and repeating is safe.",
}
#: Of every endpoint, whatever else.
_EVERYWHERE = (405, 413, 503)
_SCHEMES: dict[str, Any] = {
    "client": {"type": "http", "scheme": "basic", "description": "Client id and secret, each form-urlencoded first."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "An access token."},
    "registration": {"type": "http", "scheme": "bearer", "description": "An initial or registration access token."},
}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
}


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """The description of this centre."""
    return public_answer(request, document(services().policy.issuer))


def document(issuer: str) -> dict[str, Any]:
    """The description, for the centre at this issuer."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lockstep",
            "version": version("lockstep-sso"),
            "description": "Single sign-on whose every sign-out is accounted for. Pages for people are not in here.",
        },
        "servers": [{"url": issuer}],
        "paths": paths,
        "components": {"securitySchemes": _SCHEMES, "schemas": {"Error": _ERROR}},
    }


def _described(operation: Operation) -> dict[str, Any]:
    """One Operation Object (OpenAPI 3.1 section 4.8.10)."""
    fields = {name: dict(schema) for name, schema in operation.fields.items()}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {str(code): _answer(operation, code) for code in sorted({*operation.answers, *_EVERYWHERE})},
    }
    if operation.security:
        described["security"] = [{name: []} if name else {} for name in operation.security]
    placed = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in operation.in_path
    ]
    if operation.body:
        schema: dict[str, Any] = {"type": "object", "properties": fields}
        if operation.required:
            schema["required"] = list(operation.required)
        described["requestBody"] = {
            "required": bool(operation.required),
            "content": {operation.body: {"schema": schema}},
        }
    else:
        placed += [
            {"name": name, "in": "query", "required": name in operation.required, "schema": schema}
            for name, schema in fields.items()
        ]
    if operation.by_key:
        placed.append({"name": "DPoP", "in": "header", "required": False, "schema": {"type": "string"}})
    if placed:
        described["parameters"] = placed
    return described


def _answer(operation: Operation, code: int) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": _ANSWERS[code]}
    if operation.answer_type and 200 <= code < 300 and code != 204:
        answer["content"] = {kind: {} for kind in operation.answer_type}
    elif operation.json_errors and code >= 400:
        answer["content"] = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return answer
