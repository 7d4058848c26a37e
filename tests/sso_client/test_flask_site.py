"""A guarded Flask site: who gets what answer, how people leave, and what happens when things are down."""

import re
from collections.abc import Callable

import pytest
from flask import Flask, render_template_string, request
from flask_wtf.csrf import CSRFProtect

from sso_client import SSOError
from sso_client.flask import SSO, current_user
from sso_client.pages import language
from sso_client.testing.tokens import Grant
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, browser, new_sid

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "application/json"},
        {"X-Requested-With": "XMLHttpRequest"},
        {"HX-Request": "true"},
        {"Authorization": "Bearer x"},
        {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_a_program_gets_401_json_and_no_redirect(headers: dict[str, str], site: Flask) -> None:
    answer = site.test_client().get("/", headers=headers)
    assert answer.status_code == 401
    assert answer.json == {"error": "login_required", "login_url": "http://localhost/sso/login?next=/"}
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_unsafe_request_is_never_redirected(site: Flask, centre: FakeProvider) -> None:
    http = site.test_client()
    answer = http.post("/order", headers={"Referer": "http://localhost/deep/x?y=1"})
    assert answer.status_code == 401
    assert 'href="/sso/login?next=/deep/x?y%3D1"' in answer.text
    alice = browser(site, centre)
    alice.sign_in()
    assert alice.http.post("/order").text == "ordered"


def test_a_group_that_is_missing_is_403_in_words(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    alice.sign_in()
    page = alice.get("/staff")
    assert page.status_code == 403
    assert "group_required" in page.text
    centre.profile["groups"] = ["staff"]
    bob = browser(site, centre)
    bob.sign_in(sub="usr-bob")
    assert bob.get("/staff").text == "staff only"


def test_an_async_view_can_be_guarded(site: Flask, centre: FakeProvider) -> None:
    async def later() -> str:
        return f"hi {current_user.sub}"

    sso = site.extensions["sso_client"].sso
    site.get("/later")(sso.login_required(later))
    site.get("/api/later", endpoint="api_later")(sso.bearer_required()(later))
    alice = browser(site, centre)
    alice.sign_in()
    assert alice.get("/later").text == "hi usr-alice"
    session = centre.open_session("usr-bob", {})
    token = centre.new_access_token(Grant(session.sid, "usr-bob", "openid", session.auth_time))
    assert site.test_client().get("/api/later", headers={"Authorization": f"Bearer {token}"}).text == "hi usr-bob"


def test_nobody_is_an_anonymous_user(site: Flask, centre: FakeProvider) -> None:
    assert site.test_client().get("/open").text == "False False "
    alice = browser(site, centre)
    alice.sign_in()
    assert alice.get("/open").text == "True True Alice Example"


def test_an_outer_application_context_does_not_pass_one_persons_session_on(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    alice.sign_in()
    with site.app_context():  # as in `with app.app_context(): app.run()`: Flask uses it for every request within
        assert alice.get("/").text == "Hi Alice Example"
        assert browser(site, centre).get("/").status_code == 302
        assert site.test_client().get("/open").text == "False False "
        assert alice.get("/open").text == "True True Alice Example"


def test_me_tells_who_is_signed_in_and_changes_by_itself(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    assert alice.get("/sso/me").json == {"signed_in": False, "login_url": "/sso/login"}
    sid = new_sid()
    alice.sign_in(sid=sid)
    answer = alice.get("/sso/me")
    assert answer.json["signed_in"] is True
    assert answer.json["name"] == "Alice Example"
    assert answer.headers["Cache-Control"] == "no-store"
    body = centre.logout_form(sid=sid)
    told = site.test_client().post("/sso/backchannel-logout", data=body, content_type=FORM)
    assert told.status_code == 200
    assert told.headers["Cache-Control"] == "no-store"
    assert told.headers["Lockstep-Store"].startswith("st-")
    assert alice.get("/sso/me").json["signed_in"] is False
    assert alice.get("/").status_code == 302


def test_a_page_that_polls_me_keeps_nobody_active(site: Flask, centre: FakeProvider, clock: MovedClock) -> None:
    alice = browser(site, centre)
    alice.sign_in()
    for _ in range(4):
        clock.go(31)
        assert alice.get("/sso/me").json["signed_in"] is True
    assert [told["active"] for told in centre.check_ins] == [[]] * len(centre.check_ins)
    assert alice.get("/").status_code == 200
    assert len(centre.check_ins[-1]["active"]) == 1


def test_a_logout_call_is_only_believed_when_signed_and_small(site: Flask, centre: FakeProvider) -> None:
    http = site.test_client()
    assert http.get("/sso/backchannel-logout").status_code == 405
    for body in (b"logout_token=x.y.z", b"logout_token=" + b"x" * 1_000_000, b""):
        answer = http.post("/sso/backchannel-logout", data=body, content_type=FORM)
        assert answer.status_code == 400
        assert answer.json["error"] == "invalid_request"


def test_a_form_that_was_read_before_us_still_ends_the_session(site: Flask, centre: FakeProvider) -> None:
    site.before_request(lambda: request.form.get("x"))
    answer = site.test_client().post(
        "/sso/backchannel-logout", data=centre.logout_form(sid=new_sid()), content_type=FORM
    )
    assert answer.status_code == 200


def test_asking_to_sign_out_shows_a_page_and_its_button_signs_out(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    sid = new_sid()
    alice.sign_in(sid=sid)
    page = alice.get("/sso/logout")
    assert page.status_code == 200
    assert f"form-action 'self' {centre.issuer}" in page.headers["Content-Security-Policy"]
    assert centre.ended == {}
    token = re.search(r'name="logout_form" value="([^"]+)"', page.text)[1]
    answer = alice.http.post("/sso/logout", data={"logout_form": token})
    assert answer.status_code == 303
    assert answer.location.startswith(f"{centre.issuer}/end-session?client_id=shop&id_token_hint=")
    assert centre.ended == {sid: "site_sign_out"}
    assert alice.get("/").status_code == 302
    assert "You aren&#x27;t signed in here" in alice.get("/sso/logout").text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://localhost"}, 303),
    ],
)
def test_signing_out_needs_proof_that_this_site_asked(
    headers: dict[str, str], status: int, site: Flask, centre: FakeProvider
) -> None:
    alice = browser(site, centre)
    alice.sign_in()
    assert alice.http.post("/sso/logout", headers=headers).status_code == status
    assert alice.get("/").status_code == (200 if status == 403 else 302)


def test_the_proof_of_another_browser_is_none(site: Flask, centre: FakeProvider) -> None:
    alice, mallory = browser(site, centre), browser(site, centre)
    alice.sign_in()
    mallory.sign_in(sub="usr-mallory")
    stolen = re.search(r'name="logout_form" value="([^"]+)"', mallory.get("/sso/logout").text)[1]
    assert alice.http.post("/sso/logout", data={"logout_form": stolen}).status_code == 403


def test_signing_out_while_the_centre_is_down_ends_here_and_says_so(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    alice.sign_in()
    centre.down()
    page = alice.http.post(
        "/sso/logout", headers={"Sec-Fetch-Site": "same-origin", "Accept-Language": "zh-CN,en;q=0.5"}
    )
    assert page.status_code == 200
    assert "恢复后将立即通知其他站点" in page.text
    centre.up()
    assert alice.get("/").status_code == 302


def test_without_a_confirmation_people_see_a_plain_503(site: Flask, centre: FakeProvider, clock: MovedClock) -> None:
    alice = browser(site, centre)
    alice.sign_in()
    assert alice.get("/").status_code == 200
    centre.down()
    clock.go(61)
    page = alice.get("/", Accept_Language="en")
    assert page.status_code == 503
    assert int(page.headers["Retry-After"]) > 0
    assert page.headers["Cache-Control"] == "no-store"
    assert "We can&#x27;t confirm that you are still signed in" in page.text
    assert '<meta http-equiv="refresh" content="5">' in page.text, "it goes on by itself"
    assert "暂时无法确认" in alice.get("/", Accept_Language="zh-TW").text
    assert alice.get("/sso/me").status_code == 503
    assert alice.get("/", Accept="application/json").json["error"] == "lease_expired"
    centre.up()
    clock.go(11)
    assert alice.get("/").status_code == 200


def test_a_centre_that_is_down_at_the_start_is_a_page_at_sign_in_only(site: Flask, centre: FakeProvider) -> None:
    centre.down()
    assert site.test_client().get("/open").status_code == 200
    page = site.test_client().get("/sso/login")
    assert page.status_code == 503
    assert "discovery_unreachable" in page.text
    assert "ConnectionError" not in page.text
    assert "Start the centre" in page.text, "on loopback the fix is shown"


def test_the_fix_is_not_shown_to_the_world(make_site: Callable[..., Flask], centre: FakeProvider) -> None:
    site = make_site(base_url="https://shop.example")
    centre.down()
    page = site.test_client().get("/sso/login?moved=1", base_url="https://localhost")
    assert "discovery_unreachable" in page.text
    assert "Start the centre" not in page.text


@pytest.mark.parametrize(
    ("headers", "remote"),
    [({"X-Forwarded-For": "203.0.113.9"}, "127.0.0.1"), ({"Host": "127.0.0.1"}, "203.0.113.9")],
)
def test_a_visitor_who_says_localhost_is_no_developer(headers, remote, site: Flask, centre: FakeProvider) -> None:
    centre.down()
    page = site.test_client().get("/sso/login", headers=headers, environ_base={"REMOTE_ADDR": remote})
    assert "discovery_unreachable" in page.text
    assert "Start the centre" not in page.text


def test_a_store_that_cannot_be_written_stops_the_start_with_its_fix(tmp_path, centre: FakeProvider) -> None:
    (tmp_path / "file").write_text("")
    app = Flask("x", instance_path=str(tmp_path / "file"))
    with pytest.raises(SSOError, match="SSO_STORE") as error:
        SSO(app, issuer=centre.issuer, client_id="shop", client_secret="s")
    assert error.value.code == "store_not_writable"


def test_after_a_start_with_a_wrong_issuer_the_right_one_just_works(tmp_path, centre: FakeProvider) -> None:
    wrong = centre.issuer.replace("127.0.0.1", "localhost")
    for issuer, client_id in ((wrong, "a_b"), (centre.issuer, "a_b"), (centre.issuer, "a b"), (centre.issuer, "a_b")):
        app = Flask("x", instance_path=str(tmp_path / "instance"))
        SSO(app, issuer=issuer, client_id=client_id, client_secret="s")
        app.extensions["sso_client"].client.close()
    assert len(list((tmp_path / "instance").glob("sso-a_b-*.sqlite3"))) == 3


@pytest.mark.parametrize("order", ["before", "after"])
def test_flask_wtf_lets_the_centre_through_and_nobody_else(order: str, tmp_path, centre: FakeProvider) -> None:
    app = Flask("x", instance_path=str(tmp_path / "instance"))
    app.config |= {"SECRET_KEY": "k", "SSO_ISSUER": centre.issuer, "SSO_CLIENT_ID": "shop"}
    app.config["SSO_CLIENT_SECRET"] = centre.client_secret
    if order == "before":
        CSRFProtect(app)
    sso = SSO()
    sso.init_app(app)
    if order == "after":
        CSRFProtect(app)
    app.post("/form")(lambda: "sent")
    http = app.test_client()
    body = centre.logout_form(sid=new_sid())
    assert http.post("/sso/backchannel-logout", data=body, content_type=FORM).status_code == 200
    assert http.post("/sso/logout", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303
    assert http.post("/form").status_code == 400
    app.extensions["sso_client"].client.close()


def test_templates_have_the_links_and_the_person(site: Flask, centre: FakeProvider) -> None:
    @site.get("/page")
    def page() -> str:
        return render_template_string(
            "{{ sso.login_url() }} {{ sso.logout_url() }} {{ current_user.name }} {{ sso.logout_field() }}"
            " {{ sso.recent_events()|length }}"
        )

    alice = browser(site, centre)
    alice.sign_in()
    text = alice.get("/page?x=1").text
    assert text.startswith("/sso/login?next=/page?x%3D1 /sso/logout Alice Example <input type=")
    assert text.endswith(" 2")


def test_several_applications_live_in_one_process(make_site: Callable[..., Flask], centre: FakeProvider) -> None:
    first, second = browser(make_site(), centre), browser(make_site(), centre)
    first.sign_in()
    assert first.get("/").status_code == 200
    assert second.get("/").status_code == 302


def test_an_application_without_sso_says_what_to_do() -> None:
    with Flask("x").test_request_context(), pytest.raises(RuntimeError, match="init_app"):
        _ = current_user.name


def test_the_language_is_the_browsers() -> None:
    assert [language(wish) for wish in ("", "de", "zh", "de,zh;q=0.5,en;q=0.4", "en,zh", "zh;q=0", "x;q=y")] == [
        "en",
        "en",
        "zh",
        "zh",
        "en",
        "en",
        "en",
    ]
