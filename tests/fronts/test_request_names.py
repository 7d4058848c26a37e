"""Each request has a name: ours, or a trusted proxy's; it is in every line, in the answer and on error pages."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from sso_server.web import access, errors
from tests.fronts.conftest import SECRETS

GIVEN = "proxy-1234.abcd_5678"


def test_a_trusted_proxys_name_is_kept_and_shown(make_app) -> None:
    ask = make_app(trusted_proxies="127.0.0.1/32").test_client().get
    answer = ask("/nothing", headers={"X-Request-ID": GIVEN})
    assert answer.headers["X-Request-ID"] == GIVEN
    assert GIVEN in answer.text


@pytest.mark.parametrize("name", ["short", "a" * 65, "with space 123", 'q"uote-1234', "line\tbreak-12", "-dash-first"])
def test_a_name_that_could_be_anything_is_replaced(make_app, name: str) -> None:
    answer = make_app(trusted_proxies="127.0.0.1/32").test_client().get("/nothing", headers={"X-Request-ID": name})
    assert answer.headers["X-Request-ID"].startswith("req-")


def test_a_strangers_name_is_replaced(app: Flask) -> None:
    answer = app.test_client().get("/nothing", headers={"X-Request-ID": GIVEN})
    assert answer.headers["X-Request-ID"].startswith("req-")


def test_a_request_leaves_one_line_without_its_query(
    app: Flask, logged: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_log", errors._log)
    form = {"grant_type": "authorization_code", "code": "code-17-" + "c" * 32, "redirect_uri": "https://x/"}
    answer = app.test_client().post("/token?secret=in-the-query", data=form, auth=("shop", SECRETS["shop"]))
    app.test_client().get("/no/such/path-with-a-secret?x=y")
    app.test_client().get("/healthz")
    requests = [line for line in logged if line["event"] == "request"]
    assert [(line["method"], line["endpoint"], line["status"]) for line in requests] == [
        ("POST", "oidc_token.token", 400),
        ("GET", "none", 404),
    ]
    assert requests[0]["client_id"] == "shop"
    assert {line["request_id"] for line in logged if line.get("client_id")} == {answer.headers["X-Request-ID"]}
    assert not any(word in json.dumps(logged) for word in ("in-the-query", "path-with-a-secret", "c" * 32))
