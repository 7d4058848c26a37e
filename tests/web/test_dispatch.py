"""A request finds its view and its hooks as Flask would find them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import flask
import pytest
from flask import Blueprint, abort, after_this_request, session

from sso_server.web.edge import Edge

CALLS: list[str] = []
#: What is raised, and who handles it: of the app and of the blueprint each, Flask, nobody.
ERRORS = {
    "theirs": LookupError,
    "everybody's": ArithmeticError,
    "whose handler fails": EOFError,
    "nobody's": RuntimeError,
}


def app_of(kind: type[flask.Flask]) -> flask.Flask:
    """The same hooks and rules in an app of ours and in one of Flask's."""
    app, inner = kind("app"), Blueprint("inner", "inner")
    app.secret_key = "for this test alone"

    def before(name: str) -> Any:
        return lambda: reached(f"before {name}")

    def after(name: str) -> Any:
        def hook(response: flask.Response) -> flask.Response:
            if (other := reached(f"after {name}")) is not None:
                response = flask.make_response(other)
            response.headers.add("X-After", name)
            return response

        return hook

    def gone(name: str) -> Any:
        def hook(error: BaseException | None) -> None:
            CALLS.append(f"with {type(error).__name__}")
            reached(f"gone {name}")

        return hook

    for where, of in (("app", app), ("inner", inner)):
        for number in "12":
            of.before_request(before(where + number))
            of.after_request(after(where + number))
            of.teardown_request(gone(where + number))

    @inner.get("/plain")
    def plain() -> str:
        return reached("view") or "plain"

    @inner.post("/plain")
    def posted() -> str:
        @after_this_request
        def _once(response: flask.Response) -> flask.Response:
            CALLS.append("once")
            return response

        return "posted"

    @inner.get("/plain/<name>")
    def named(name: str) -> str:
        return reached("view") or name

    @inner.get("/plain/fixed")
    def fixed() -> str:
        return "fixed, and no name"

    @app.get("/folder/", defaults={"page": "first"})
    @app.get("/folder/<page>")
    def folder(page: str) -> str:
        session["page"] = page
        return reached("view") or page

    @inner.errorhandler(LookupError)
    def _inners(_: LookupError) -> tuple[str, int]:
        return "handled by the blueprint", 500

    @app.errorhandler(ArithmeticError)
    def _everybodys(_: ArithmeticError) -> tuple[str, int]:
        return "handled by the app", 500

    @app.errorhandler(EOFError)
    def _fails(_: EOFError) -> str:
        raise RuntimeError

    app.register_blueprint(inner)
    return app


def reached(place: str) -> str | None:
    """Does there what the request asks for: fails, or answers in place of what would come."""
    CALLS.append(place)
    asked = flask.request.args
    if asked.get("fails") == place:
        if asked["with"] in ERRORS:
            raise ERRORS[asked["with"]]
        abort(int(asked["with"]))
    return f"answered by {place}" if asked.get("answers") == place else None


def told(kind: type[flask.Flask], *paths: str, method: str = "GET") -> list[Any]:
    """What comes of each, the first time and when the hooks are known."""
    client = app_of(kind).test_client()
    found: list[Any] = []
    for path in paths * 2:
        CALLS.clear()
        try:
            answer = client.open(path, method=method)
        except Exception as error:  # noqa: BLE001  (what the server would get)
            found.append((type(error).__name__, tuple(CALLS)))
            continue
        kept = [line.partition("=")[0] for line in answer.headers.getlist("Set-Cookie")]
        found.append((answer.status, answer.data, answer.headers.getlist("X-After"), kept, tuple(CALLS)))
        found.append((answer.headers.get("Location"), sorted(answer.allow or ())))
    return found


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "DELETE"])
@pytest.mark.parametrize(
    "path",
    ["/plain", "/plain/fixed", "/plain/other", "/plain/", "//plain", "/folder", "/folder/", "/folder/second",
     "/folder/first", "/none"],
)  # fmt: skip
def test_a_request_goes_the_way_that_flask_would_send_it(method: str, path: str) -> None:
    assert told(Edge, path, method=method) == told(flask.Flask, path, method=method)


def test_each_view_has_its_own_hooks_whichever_came_first() -> None:
    paths = "/none", "/plain", "/folder/", "/plain/other"
    assert told(Edge, *paths) == told(flask.Flask, *paths)


PLACES = [
    f"{when} {where}{number}" for when in ("before", "after", "gone") for where in ("app", "inner") for number in "12"
]


@pytest.mark.parametrize("error", [*ERRORS, "409"])
@pytest.mark.parametrize("place", ["view", *PLACES])
@pytest.mark.parametrize("path", ["/plain", "/folder/", "/none"])
def test_an_error_goes_where_flask_would_send_it_wherever_it_comes_up(path: str, place: str, error: str) -> None:
    asked = f"{path}?" + urlencode({"fails": place, "with": error})
    assert told(Edge, asked) == told(flask.Flask, asked)


@pytest.mark.parametrize("place", ["view", *PLACES])
@pytest.mark.parametrize("path", ["/plain", "/plain/other", "/folder/", "/none"])
def test_who_answers_instead_is_heard_as_flask_would_hear_it(path: str, place: str) -> None:
    asked = f"{path}?" + urlencode({"answers": place})
    assert told(Edge, asked) == told(flask.Flask, asked)
