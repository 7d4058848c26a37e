"""Whatever is posted to a page, a page answers: no bare one, no traceback."""

import pytest
from werkzeug.test import TestResponse

from tests.fronts.portal.pages import Browser, Centre, away

POSTS = ("/sign-in", "/setup", "/language", "/sign-out", "/password", "/sessions", "/sessions/end")
SIZES = {"20 kB": 20_000, "300 kB": 300_000, "1 MB": 1_000_000}


def post(browser: Browser, path: str, kind: str, fields: list[tuple[str, str]]) -> TestResponse:
    """A form as a browser writes it; a field may come twice."""
    if kind == "urlencoded":
        body, mimetype = "&".join(f"{name}={value}" for name, value in fields), "application/x-www-form-urlencoded"
    else:
        head = '--edge\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
        body = "".join(head.format(name, value) for name, value in fields) + "--edge--\r\n"
        mimetype = "multipart/form-data; boundary=edge"
    return browser.http.post(path, data=body.encode(), content_type=mimetype, headers={"Accept": "text/html"})


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("bad", [*SIZES, "repeated"])
@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
@pytest.mark.parametrize("cookies", ["none", "the form's", "the form's, signed in"])
def test_a_form_that_no_page_sends_gets_a_page(centre: Centre, cookies: str, kind: str, bad: str, path: str) -> None:
    browser, fields = centre.browser(), []
    signed_in = cookies == "the form's, signed in"
    if signed_in:
        centre.add_user()
        browser.sign_in("alice")
    if cookies != "none":
        with_form = browser.get("/sessions" if signed_in else "/sign-in").text
        fields.append(("csrf_token", with_form.split('name="csrf_token" value="')[1].split('"')[0]))
    if bad == "repeated":
        fields += [(name, value) for name in ("username", "request", "sid") for value in "ab"]
    else:
        fields.append(("username", "x" * SIZES[bad]))
    answer = post(browser, path, kind, fields)
    if answer.status_code == 303:
        assert not signed_in
        assert answer.headers["Location"].startswith("/sign-in")
        return
    assert 400 <= answer.status_code < 500
    assert 'id="main"' in answer.text
    assert "<footer>" in answer.text


def test_a_lost_cookie_and_a_damaged_form_are_told_apart(browser: Browser) -> None:
    twice = [("username", "a"), ("username", "b")]
    assert "missing, repeated or damaged" in post(browser, "/sign-in", "urlencoded", twice).text
    assert "open for too long" in post(browser, "/sign-in", "urlencoded", twice[:1]).text


def test_a_used_up_set_up_link_in_a_form_without_cookie_is_no_page(browser: Browser) -> None:
    assert browser.post("/setup", token="used").status == 404


def test_a_store_that_goes_away_while_a_page_is_shown_again_is_a_503(
    centre: Centre, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.add_user()
    browser.sign_in("alice")

    monkeypatch.setattr(type(centre.services.lists), "list_live", away)
    assert browser.post("/sessions/end", others="1").status == 503
