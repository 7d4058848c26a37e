"""`fake_sso` and `signed_in`: people signed in through the site's own routes, at a provider with real keys."""

import threading
import time
from pathlib import Path

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from sso_client.testing import FakeSSO, SignInFailed
from tests.support.plugin_site import make_site


@pytest.fixture
def site(fake_sso: FakeSSO) -> Flask:
    return make_site()


def forget_the_site(client: FlaskClient) -> None:
    for cookie in list(client._cookies.values()):
        client.delete_cookie(cookie.key)


def test_signed_in_hands_back_the_client_with_somebody_in_it(site: Flask, signed_in) -> None:
    client = site.test_client()
    assert signed_in(client, sub="alice") is client
    assert client.get("/").text == "Hi Alice"
    assert site.test_client().get("/").status_code == 302, "another browser is another person's"


def test_groups_and_claims_are_the_persons(site: Flask, signed_in) -> None:
    alice = signed_in(site.test_client(), "alice", groups=["staff"], email="alice@example.com")
    assert alice.get("/staff").text == "staff: alice@example.com"
    assert alice.get("/sso/me").json["groups"] == ["staff"]
    assert signed_in(site.test_client(), "bob").get("/staff").status_code == 403
    assert signed_in(site.test_client(), "carol", groups="staff").get("/staff").status_code == 200, "one is one"


def test_how_somebody_signed_in_is_in_the_id_token(site: Flask, fake_sso: FakeSSO) -> None:
    client = site.test_client()
    an_hour_ago = int(time.time()) - 3600
    fake_sso.sign_in(client, auth_time=an_hour_ago, amr=["otp"], acr="gold")
    with client:
        client.get("/open")
        user = site.extensions["sso_client"].sso.user
        assert (user.auth_time, user.amr, user.acr) == (an_hour_ago, ("otp",), "gold")


def test_a_visit_goes_through_the_provider_and_back_to_the_page(site: Flask, fake_sso: FakeSSO) -> None:
    client = site.test_client()
    page = fake_sso.visit(client, "/staff", "alice", groups=["staff"])
    assert (page.status, page.text) == (200, "staff: None")
    assert [fake_sso.calls(name) for name in ("discovery", "authorize", "token", "userinfo")] == [1, 1, 1, 1]
    fake_sso.visit(client, "/")
    assert fake_sso.calls("authorize") == 1, "who is signed in isn't sent away again"


def test_a_step_up_asks_for_the_password_and_a_silent_round_trip_does_not(fake_sso: FakeSSO) -> None:
    client, long_ago = make_site().test_client(), int(time.time()) - 3600
    first = fake_sso.sign_in(client, auth_time=long_ago)
    forget_the_site(client)
    assert fake_sso.sign_in(client) == first
    assert fake_sso.provider.sessions[first.sid].auth_time == long_ago, "the provider knew this browser"
    assert fake_sso.visit(client, "/vault").text == "vault: gold"
    assert fake_sso.provider.sessions[first.sid].auth_time > long_ago
    assert fake_sso.live("alice") == [first.sid]


def test_a_browser_has_one_session_and_another_person_replaces_it(site: Flask, fake_sso: FakeSSO) -> None:
    client = site.test_client()
    first = fake_sso.sign_in(client, "alice")
    assert fake_sso.sign_in(client, "alice") == first
    with pytest.raises(SignInFailed, match="alice is signed in with this client already"):
        fake_sso.sign_in(client, "bob")
    forget_the_site(client)
    assert fake_sso.sign_in(client, "alice") == first, "the provider knows this browser, the site doesn't"
    forget_the_site(client)
    fake_sso.sign_in(client, "bob")
    assert fake_sso.provider.ended == {first.sid: "replaced"}
    assert client.get("/").text == "Hi Bob"


def test_a_sign_in_that_fails_says_what_the_site_answered(site: Flask, fake_sso: FakeSSO) -> None:
    fake_sso.fail("token", 500)
    with pytest.raises(SignInFailed, match=r"the site answered 503[\s\S]*provider_unavailable"):
        fake_sso.sign_in(site.test_client())


def test_a_site_of_another_provider_is_told_from_one_of_ours(fake_sso: FakeSSO) -> None:
    app = Flask("elsewhere")
    app.add_url_rule("/sso/login", view_func=lambda: ("", 302, {"Location": "https://sso.example.com/authorize"}))
    with pytest.raises(
        SignInFailed, match=r"https://sso\.example\.com/authorize .*must be made with fake_sso's settings"
    ):
        fake_sso.sign_in(app.test_client())


def test_what_the_shell_holds_decides_nothing(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setenv("SSO_ISSUER", "https://sso.example.com")
    monkeypatch.setenv("SSO_CLIENT_SECRET_FILE", "/nowhere")
    monkeypatch.setenv("SSO_SCOPES", "no-openid")
    fake_sso: FakeSSO = request.getfixturevalue("fake_sso")
    fake_sso.sign_in(make_site().test_client())


def test_the_settings_are_there_for_a_site_that_isnt_made_from_the_environment(
    fake_sso: FakeSSO, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in fake_sso.environ:
        monkeypatch.delenv(name)
    site = Flask("configured")
    site.config.update(fake_sso.environ)
    from sso_client.flask import SSO

    SSO(site)
    fake_sso.sign_in(site.test_client())
    assert fake_sso.settings.issuer == fake_sso.issuer
    assert (tmp_path / "sso.sqlite3").exists(), "the site's store is this test's own"


def test_a_site_on_a_socket_is_met_with_a_browser_and_called_there(fake_sso: FakeSSO) -> None:
    fake_sso.provider.visitor = "alice"
    # The address of the site is known before it runs.
    probe = make_server("127.0.0.1", 0, Flask("probe"))
    port = probe.port
    probe.server_close()
    site = make_site(base_url=f"http://localhost:{port}")
    server = make_server("localhost", port, site, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        with requests.Session() as browser:
            browser.trust_env = False
            assert browser.get(f"http://localhost:{port}/", timeout=10).text == "Hi Alice"
            fake_sso.sign_out("alice")
            fake_sso.provider.visitor = None
            form = browser.get(f"http://localhost:{port}/", timeout=10)
            assert form.url.startswith(fake_sso.issuer + "/authorize")
            assert 'name="username"' in form.text
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
