"""My apps: an app of others is allowed once, used at a real site with our SDK, and removed at the centre.

Removing signs the site out and makes an API refuse the JWT that it got; the person stays signed in at the centre, and
the operator's own site signs them in again without a question.
"""

from __future__ import annotations

from tests.journeys.conftest import StartSite
from tests.journeys.test_main_journey import sign_in, signed_in
from tests.journeys.test_tokens import call, token_of
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, Centre, Site, wait_until

N_S = 5


def test_a_removed_app_is_signed_out_and_its_tokens_are_refused(
    centre: Centre, sites: tuple[Site, Site], start_site: StartSite
) -> None:
    one, _ = sites
    name = f"app-{centre.username}"
    app = start_site(centre, name, host=f"{name}.localhost", lease_s=N_S, app="demo_apps.flask_site")
    centre.cli("client", "update", name, "--third-party", "--access-token", "jwt", "--audience", name)
    browser = Browser()
    sign_in(browser, one)

    def asked() -> bool:
        # Each worker of the centre looks for changed clients once a second.
        return "/consent" in browser.open(f"{app.base_url}/sso/login?next=/").url

    wait_until(asked, why="the consent page")
    assert not signed_in(browser, app)
    browser.submit("/consent")
    assert signed_in(browser, app)
    token = token_of(browser, app)
    wait_until(lambda: call(app, token).status_code == 200, why="the API to take the token")

    # Without a question from now on, also in another browser.
    phone = Browser()
    phone.open(f"{app.base_url}/sso/login?next=/").sign_in(centre.username, PASSWORD)
    assert signed_in(phone, app)

    (listed,) = centre.cli("user", "show", centre.username)["apps"]
    assert (listed["client_id"], listed["scope"][0]) == (name, "openid")
    browser.open(f"{centre.issuer}/apps")
    assert name in browser.text
    browser.submit("/apps/remove")
    assert f"{centre.issuer}/apps" in browser.url, "still signed in at the centre"
    assert "is removed." in browser.text
    assert centre.cli("user", "show", centre.username)["apps"] == []

    wait_until(lambda: not signed_in(browser, app) and not signed_in(phone, app), why="the app to be signed out")
    wait_until(lambda: call(app, token).status_code == 401, seconds=20, why="the API to refuse the token")
    wait_until(lambda: not signed_in(browser, one), why="the other site of the session to be told")
    browser.open(f"{one.base_url}/sso/login?next=/")
    assert signed_in(browser, one), "without a question"
    assert 'name="password"' not in browser.text
    phone.open(f"{one.base_url}/sso/login?next=/")
    assert 'name="password"' in phone.text, "its session ended with the app"
    browser.open(f"{app.base_url}/sso/login?next=/")
    assert "/consent" in browser.url, "asked for anew"
    ended = [line for line in centre.cli("signout", "list") if line["reason"] == "app_removed"]
    assert len(ended) >= 2
