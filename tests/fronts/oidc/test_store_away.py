"""Redis goes away: every endpoint says so, says when to come back, and loses nothing by being asked."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.fronts.conftest import SECRETS
from tests.support.oidc_site import OidcSite, path_of, query_of
from tests.support.services import running_redis

pytestmark = pytest.mark.redis
STORE = "st-" + "a" * 32


def check_is_503(answer: TestResponse) -> None:
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.get_json()["error"] == "temporarily_unavailable"
    assert answer.headers["Cache-Control"] == "no-store"


def test_machines_hear_503_and_browsers_a_page_or_a_redirect(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    with running_redis(tmp_path) as url:
        app = make_app(redis_url=url)
        shop, browser = OidcSite(app, "shop", SECRETS["shop"]), app.test_client()
        tokens = shop.tokens(browser)
        code = shop.code(browser)
    check_is_503(shop.redeem(code))
    check_is_503(shop.refresh(tokens["refresh_token"]))
    check_is_503(shop.userinfo(tokens["access_token"]))
    check_is_503(shop.post("/introspect", token=tokens["access_token"]))
    check_is_503(shop.post("/revoke", token=tokens["access_token"]))
    check_is_503(shop.check_in(STORE))

    page = shop.ask(browser)
    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert int(page.headers["Retry-After"]) > 0
    silent = shop.ask(browser, prompt="none")
    assert path_of(silent) == shop.redirect_uri
    assert query_of(silent)["error"] == "temporarily_unavailable"

    leaving = browser.get("/end-session", query_string={"id_token_hint": tokens["id_token"]})
    assert leaving.status_code == 503
    assert browser.get_cookie("lockstep_session") is not None  # nothing ended, so nothing is forgotten
