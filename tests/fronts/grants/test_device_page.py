"""The page for devices (RFC 8628 section 3.3): what it asks, of whom, and how guessing at codes is slowed."""

import re
import time
from html import unescape

import pytest
from flask.testing import FlaskClient

from sso_server.core.errors import Refused
from tests.fronts.conftest import Later
from tests.fronts.grants.conftest import ON_BOTH_STORES
from tests.fronts.grants.device import answer, approve, begin, fields, open_page, outcome, poll, type_in
from tests.support.oidc_site import OidcSite, built_of, change_client, path_of, sign_in

UNKNOWN = "No device waits for this code"


@pytest.mark.covers("line-66")
def test_the_page_shows_the_app_the_code_and_what_it_may_and_asks(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp, scope="openid email")
    question = type_in(browser, told["user_code"])
    assert question.status_code == 200
    for text in (
        "Sign in The Lamp on your device?",
        told["user_code"],
        "signed in as Alice",
        "See your e-mail address",
    ):
        assert text in question.text
    assert outcome(poll(lamp, told["device_code"])) == "authorization_pending", "nobody has said anything yet"
    done = answer(browser, question)
    page = browser.get(done.headers["Location"]).text
    assert "Your device is being signed in" in page
    assert 'name="user_code"' not in page, "as if it asked once more"


@pytest.mark.covers("line-66")
def test_an_address_that_brings_the_code_along_answers_nothing(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    address = told["verification_uri_complete"].removeprefix("http://127.0.0.1:9000")
    page = open_page(browser, address)
    assert f'value="{told["user_code"]}"' in page.text, "also after the sign-in page in between"
    assert outcome(poll(lamp, told["device_code"])) == "authorization_pending"
    question = browser.post("/device", data={"csrf_token": fields(page)["csrf_token"], "user_code": told["user_code"]})
    assert "Don't allow" in question.text.replace("&#39;", "'")
    assert path_of(answer(browser, question)) == "/device"


@pytest.mark.parametrize(("default", "again"), [(50, True), (600, False), (0, True)])
def test_a_client_may_register_how_old_a_sign_in_may_be_that_allows_its_devices(
    browser: FlaskClient, lamp: OidcSite, later: Later, default: int, again: bool
) -> None:
    change_client(lamp, metadata={"default_max_age": default})
    open_page(browser)
    with later(60):
        told = begin(lamp)
        question = type_in(browser, told["user_code"])
        if again:
            assert path_of(question) == "/sign-in"
            page = browser.get(question.headers["Location"])
            assert "The Lamp wants your password once more" in page.text
            assert "without signing in" not in page.text, "that would lead back to this very page"
            back = sign_in(browser, question.headers["Location"])
            assert path_of(back) == "/device/continue"
            question = browser.get(back.headers["Location"])
        assert told["user_code"] in question.text
        assert outcome(poll(lamp, told["device_code"])) == "authorization_pending", "the password answers nothing"
        assert answer(browser, question).headers["Location"] == "/device?done=allowed"
        tokens = poll(lamp, told["device_code"]).get_json()
        assert (lamp.claims(tokens["id_token"])["auth_time"] > time.time() - 30) is again


def test_who_takes_too_long_over_the_question_types_the_password_before_a_yes(
    browser: FlaskClient, lamp: OidcSite, later: Later
) -> None:
    change_client(lamp, metadata={"default_max_age": 60})
    told = begin(lamp)
    question = type_in(browser, told["user_code"])
    with later(90):
        late = answer(browser, question)
        assert path_of(late) == "/sign-in"
        assert outcome(poll(lamp, told["device_code"])) == "authorization_pending"
        question = browser.get(sign_in(browser, late.headers["Location"]).headers["Location"])
        assert answer(browser, question).headers["Location"] == "/device?done=allowed"


def test_nobody_needs_a_password_to_say_no(browser: FlaskClient, lamp: OidcSite, later: Later) -> None:
    change_client(lamp, metadata={"default_max_age": 60})
    told = begin(lamp)
    question = type_in(browser, told["user_code"])
    with later(90):
        assert answer(browser, question, "refuse").headers["Location"] == "/device?done=refused"


def test_a_password_for_the_device_is_asked_of_who_typed_the_code_and_of_nobody_else(
    browser: FlaskClient, lamp: OidcSite
) -> None:
    change_client(lamp, metadata={"default_max_age": 0})
    told = begin(lamp)
    asked = type_in(browser, told["user_code"]).headers["Location"]
    form_again = f"/device?user_code={told['user_code']}"
    # The address in another person's browser, and another person at this one.
    other = lamp.app.test_client()
    assert other.get(asked.replace("/sign-in", "/device/continue")).headers["Location"] == form_again
    for each in (other, browser):
        back = sign_in(each, asked, "bob")
        assert each.get(back.headers["Location"]).headers["Location"] == form_again
    # A password that was typed for something else is none for this.
    assert path_of(browser.get(asked.replace("/sign-in", "/device/continue"))) == "/device"
    assert browser.get("/device/continue?request=x").status_code == 400
    assert outcome(poll(lamp, told["device_code"])) == "authorization_pending"


@pytest.mark.covers("line-63")
@pytest.mark.parametrize("dress", [str.lower, lambda c: c.replace("-", ""), lambda c: f" {c[:2]} {c[2:]}. "])
def test_however_the_code_is_typed(browser: FlaskClient, lamp: OidcSite, dress: object) -> None:
    told = begin(lamp)
    assert callable(dress)
    question = type_in(browser, dress(told["user_code"]))
    assert told["user_code"] in question.text


@pytest.mark.parametrize("typed", ["", "BCDF", "AEIO-UAEI", "BCDF-GHJK", "<b>", "B" * 300, "ＢＣＤＦ-ＧＨＪＫ"])
def test_a_code_for_which_nothing_waits_is_said_to_be_one(browser: FlaskClient, lamp: OidcSite, typed: str) -> None:
    page = type_in(browser, typed)
    assert (page.status_code, UNKNOWN in page.text) == (400, True)
    assert "<b>" not in page.text


@pytest.mark.covers("line-67")
@ON_BOTH_STORES
def test_guessing_is_slowed_to_five_codes_a_minute(browser: FlaskClient, lamp: OidcSite, later: Later) -> None:
    told = begin(lamp)
    for _ in range(5):
        assert type_in(browser, "BCDF-GHJK").status_code == 400
    slowed = type_in(browser, told["user_code"])
    assert slowed.status_code == 429
    assert 55 <= int(slowed.headers["Retry-After"]) <= 60
    assert "Too many attempts" in slowed.text
    with later(61):
        assert type_in(browser, told["user_code"]).status_code == 200


@pytest.mark.covers("line-67")
def test_the_limit_holds_for_an_address_whoever_signs_in_there(browser: FlaskClient, lamp: OidcSite) -> None:
    for _ in range(5):
        type_in(browser, "BCDF-GHJK")
    other = lamp.app.test_client()
    other.get(sign_in(other, "/sign-in", "bob").headers["Location"])
    assert type_in(other, "BCDF-GHJK").status_code == 429
    elsewhere = {"REMOTE_ADDR": "192.0.2.77"}
    token = fields(other.get("/device"))["csrf_token"]
    form = {"csrf_token": token, "user_code": "BCDF-GHJK"}
    assert other.post("/device", data=form, environ_base=elsewhere).status_code == 400


def test_right_codes_are_no_guesses(browser: FlaskClient, lamp: OidcSite) -> None:
    for _ in range(7):
        approve(browser, begin(lamp)["user_code"])


def test_nobody_is_asked_who_is_not_signed_in(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    for page in (browser.get("/device"), browser.get(f"/device?user_code={told['user_code']}")):
        assert path_of(page) == "/sign-in"
    assert browser.get("/device?user_code=https://evil.example").headers["Location"] == "/sign-in?then=device"
    assert browser.get("/device").headers["Location"] == "/sign-in?then=device"


def test_a_forged_form_does_nothing(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    question = type_in(browser, told["user_code"])
    sent = fields(question) | {"answer": "allow"}
    refused = browser.post("/device/answer", data=sent | {"csrf_token": "x"})
    assert (refused.status_code, "press the button once more" in refused.text) == (400, True)
    assert browser.post("/device", data={"user_code": told["user_code"]}).status_code == 400
    for asked in ("", "x", sent["asked"][:-2]):
        assert browser.post("/device/answer", data=sent | {"asked": asked}).status_code == 400
    assert outcome(poll(lamp, told["device_code"])) == "authorization_pending"


def test_only_who_was_asked_can_answer(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    asked = fields(type_in(browser, told["user_code"]))["asked"]
    other = lamp.app.test_client()
    other.get(sign_in(other, "/sign-in", "bob").headers["Location"])
    sent = {"csrf_token": fields(other.get("/device"))["csrf_token"], "asked": asked, "answer": "allow"}
    assert other.post("/device/answer", data=sent).status_code == 400
    assert outcome(poll(lamp, told["device_code"])) == "authorization_pending"


def test_a_question_is_answered_once(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    question = type_in(browser, told["user_code"])
    assert answer(browser, question, "refuse").status_code == 303
    late = answer(browser, question)
    assert (late.status_code, "used already" in late.text) == (400, True)
    assert outcome(poll(lamp, told["device_code"])) == "access_denied"


def test_of_two_answers_at_once_the_first_stands(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    open_page(browser)
    here = built_of(lamp.app).services
    (session,) = here.lists.list_live(here.clock.now(), 5)
    client, found = here.clients.find("lamp"), here.devices.find(told["user_code"], session, "192.0.2.1")
    assert client is not None
    assert found is not None
    here.devices.refuse(found)
    with pytest.raises(Refused):
        here.devices.approve(found, session, client)
    assert outcome(poll(lamp, told["device_code"])) == "access_denied"


def test_a_poll_in_between_spoils_no_answer(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    question = type_in(browser, told["user_code"])
    assert outcome(poll(lamp, told["device_code"])) == "authorization_pending"
    answer(browser, question)
    assert outcome(poll(lamp, told["device_code"])) == ""


def test_anything_but_the_word_is_a_no(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    assert answer(browser, type_in(browser, told["user_code"]), "").headers["Location"].endswith("refused")
    assert outcome(poll(lamp, told["device_code"])) == "access_denied"


def test_of_an_app_that_was_removed_meanwhile_nothing_is_asked(
    browser: FlaskClient, lamp: OidcSite, later: Later
) -> None:
    told = begin(lamp)
    assert built_of(lamp.app).sql.clients.remove("lamp")
    with later(2):
        assert type_in(browser, told["user_code"]).status_code == 400


def test_a_third_partys_device_is_among_the_apps_from_then_on(browser: FlaskClient, lamp: OidcSite) -> None:
    change_client(lamp, metadata={"third_party": True})
    told = begin(lamp)
    approve(browser, told["user_code"])
    assert poll(lamp, told["device_code"]).status_code == 200
    page = browser.get("/apps").text
    assert "The Lamp" in page


def test_a_third_party_that_was_removed_meanwhile_gets_nothing(browser: FlaskClient, lamp: OidcSite) -> None:
    change_client(lamp, metadata={"third_party": True})
    told = begin(lamp)
    approve(browser, told["user_code"])
    here = built_of(lamp.app).services
    (session,) = here.lists.list_live(here.clock.now(), 5)
    assert here.consents.remove(session.user_id, "lamp", actor="user")
    assert outcome(poll(lamp, told["device_code"])) == "invalid_grant"


def test_the_page_speaks_chinese(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    open_page(browser)
    browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = "zh-CN"
    assert "请输入设备上显示的代码" in browser.get("/device").text
    question = type_in(browser, told["user_code"])
    assert "要在您的设备上登录 The Lamp 吗？" in question.text
    done = answer(browser, question)
    assert "您的设备正在登录" in browser.get(done.headers["Location"]).text


def test_after_a_password_the_question_can_be_read_in_another_language(browser: FlaskClient, lamp: OidcSite) -> None:
    change_client(lamp, metadata={"default_max_age": 0})
    told = begin(lamp)
    back = sign_in(browser, type_in(browser, told["user_code"]).headers["Location"])
    page = browser.get(back.headers["Location"])
    (switch,) = re.findall(r'href="(/language\?to=zh[^"]*)"', page.text)
    question = browser.get(browser.get(unescape(switch)).headers["Location"])
    assert "要在您的设备上登录 The Lamp 吗？" in question.text
    assert "您的设备正在登录" in browser.get(answer(browser, question).headers["Location"]).text
