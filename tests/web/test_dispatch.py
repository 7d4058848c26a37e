"""A request finds its view and its hooks as Flask would find them."""

from __future__ import annotations

from typing import Any

import flask
import pytest
from flask import Blueprint, after_this_request, session

from sso_server.web.edge import Edge

CALLS: list[str] = []


def app_of(kind: type[flask.Flask]) -> flask.Flask:
    """The same hooks and rules in an app of ours and in one of Flask's."""
    app, inner = kind("app"), Blueprint("inner", "inner")
    app.secret_key = "for this test alone"

    def before(name: str) -> Any:
        return lambda: CALLS.append(f"before {name}")

    def after(name: str) -> Any:
        def hook(response: flask.Response) -> flask.Response:
            CALLS.append(f"after {name}")
            response.headers.add("X-After", name)
            return response

        return hook

    def gone(name: str) -> Any:
        return lambda error: CALLS.append(f"gone {name} {type(error).__name__}")

    for where, of in (("app", app), ("inner", inner)):
        for number in "12":
            of.before_request(before(where + number))
            of.after_request(after(where + number))
            of.teardown_request(gone(where + number))

    @inner.before_request
    def _stop() -> str | None:
        return "stopped" if flask.request.args.get("stop") else None

    @inner.get("/plain")
    def plain() -> str:
        return "plain"

    @inner.post("/plain")
    def posted() -> str:
        @after_this_request
        def _once(response: flask.Response) -> flask.Response:
            CALLS.append("once")
            return response

        return "posted"

    @inner.get("/plain/<name>")
    def named(name: str) -> str:
        return name

    @inner.get("/plain/fixed")
    def fixed() -> str:
        return "fixed, and no name"

    @app.get("/folder/", defaults={"page": "first"})
    @app.get("/folder/<page>")
    def folder(page: str) -> str:
        session["page"] = page
        return page

    @app.get("/fails")
    def fails() -> str:
        raise LookupError

    @app.errorhandler(LookupError)
    def _handled(_: LookupError) -> tuple[str, int]:
        return "handled", 500

    app.register_blueprint(inner)
    return app


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "DELETE"])
@pytest.mark.parametrize(
    "path",
    ["/plain", "/plain?stop=1", "/plain/fixed", "/plain/other", "/plain/", "//plain", "/folder", "/folder/",
     "/folder/second", "/folder/first", "/fails", "/none"],
)  # fmt: skip
def test_a_request_goes_the_way_that_flask_would_send_it(method: str, path: str) -> None:
    def asked(kind: type[flask.Flask]) -> list[Any]:
        client = app_of(kind).test_client()
        told: list[Any] = []
        for _ in range(2):
            CALLS.clear()
            answer = client.open(path, method=method)
            kept = [line.partition("=")[0] for line in answer.headers.getlist("Set-Cookie")]
            told.append((answer.status, answer.data, answer.headers.getlist("X-After"), kept, tuple(CALLS)))
            told.append((answer.headers.get("Location"), sorted(answer.allow or ())))
        return told

    assert asked(Edge) == asked(flask.Flask)
