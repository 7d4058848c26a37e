"""A device and its person, as the tests play them: over Flask's test client, through the real pages."""

import re
from html import unescape
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.oidc_site import OidcSite, path_of, sign_in

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def begin(site: OidcSite, **more: str | None) -> dict[str, Any]:
    """What the device is told."""
    answer = site.post("/device-authorization", **({"scope": "openid profile"} | more))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def poll(site: OidcSite, device_code: str, **more: str) -> TestResponse:
    """The device asks whether it is signed in."""
    return site.post("/token", grant_type=GRANT, device_code=device_code, **more)


def outcome(answer: TestResponse) -> str:
    """The error's code; empty for tokens."""
    return str(answer.get_json().get("error", ""))


def fields(page: TestResponse) -> dict[str, str]:
    """The hidden fields of a page's form."""
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return {name: unescape(value) for name, value in hidden}


def open_page(browser: FlaskClient, address: str = "/device") -> TestResponse:
    """The page where codes are typed; alice signs in if she is asked to."""
    page = browser.get(address)
    if page.status_code == 303:
        assert path_of(page) == "/sign-in"
        page = browser.get(sign_in(browser, page.headers["Location"]).headers["Location"])
    assert page.status_code == 200, page.text[:500]
    return page


def type_in(browser: FlaskClient, code: str) -> TestResponse:
    """The person types the code and goes on."""
    token = fields(open_page(browser))["csrf_token"]
    return browser.post("/device", data={"csrf_token": token, "user_code": code})


def answer(browser: FlaskClient, question: TestResponse, said: str = "allow") -> TestResponse:
    """And says yes or no."""
    return browser.post("/device/answer", data=fields(question) | {"answer": said})


def approve(browser: FlaskClient, code: str) -> None:
    """All of it."""
    question = type_in(browser, code)
    assert question.status_code == 200, question.text[:800]
    assert answer(browser, question).headers["Location"] == "/device?done=allowed"
