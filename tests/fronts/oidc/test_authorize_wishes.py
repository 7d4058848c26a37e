"""What a request may wish for, and what a client's registration wishes for it."""

from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sso_server.core.details import GrantDetails
from tests.fronts.conftest import Later
from tests.support.oidc_site import ISSUER, OidcSite, built_of, change_client, path_of, query_of, sign_in

A, B = "https://a.example/", "https://b.example/api"


def details_of(site: OidcSite, code: str) -> GrantDetails:
    """What the ticket carries."""
    ticket = built_of(site.app).services.tickets.find(code)
    assert ticket is not None
    return GrantDetails.from_text(ticket.details)


@pytest.mark.covers("line-71")
@pytest.mark.parametrize(("asked", "default", "again"), [(None, 10, True), (None, 600, False), ("600", 10, False)])
def test_a_client_may_register_how_old_a_sign_in_may_be(
    browser: FlaskClient, shop: OidcSite, later: Later, asked: str | None, default: int, again: bool
) -> None:
    change_client(shop, metadata={"default_max_age": default})
    sign_in(browser)
    with later(60):
        assert (path_of(shop.ask(browser, max_age=asked)) == "/sign-in") is again
        silent = query_of(shop.ask(browser, max_age=asked, prompt="none"))
        assert silent.get("error") == ("login_required" if again else None)


def test_the_page_says_why_when_the_registration_wants_a_newer_sign_in(
    browser: FlaskClient, shop: OidcSite, later: Later
) -> None:
    change_client(shop, metadata={"default_max_age": 10})
    sign_in(browser)
    with later(60):
        page = browser.get(shop.ask(browser).headers["Location"]).text
        asked = browser.get(shop.ask(browser, max_age="10").headers["Location"]).text
        assert 'name="password"' in page
        assert page.count("<p") == asked.count("<p")


@pytest.mark.covers("line-71")
def test_max_age_zero_asks_in_the_very_millisecond_of_the_sign_in(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    for _ in range(3):
        assert path_of(shop.ask(browser, max_age="0")) == "/sign-in"
        assert query_of(shop.ask(browser, max_age="0", prompt="none"))["error"] == "login_required"
    assert "code" in query_of(shop.ask(browser))
    shop.tokens(browser, max_age="0")


@pytest.mark.covers("line-70")
@pytest.mark.parametrize("prompt", ["create", "none create", "login create", "None", "LOGIN", "none,login"])
def test_a_prompt_that_is_not_offered_is_an_invalid_request(browser: FlaskClient, shop: OidcSite, prompt: str) -> None:
    sign_in(browser)
    assert query_of(shop.ask(browser, prompt=prompt))["error"] == "invalid_request"
    offered = browser.get("/.well-known/openid-configuration").get_json()["prompt_values_supported"]
    assert offered == ["none", "login", "consent", "select_account"]


@pytest.mark.covers("line-70")
@pytest.mark.parametrize("other", ["login", "consent", "select_account"])
def test_prompt_none_goes_with_no_other(browser: FlaskClient, shop: OidcSite, other: str) -> None:
    sign_in(browser)
    for prompt in (f"none {other}", f"{other} none"):
        assert query_of(shop.ask(browser, prompt=prompt))["error"] == "invalid_request"


@pytest.mark.covers("line-72")
def test_a_pairwise_client_is_answered_by_the_name_it_knows(browser: FlaskClient, shop: OidcSite) -> None:
    change_client(shop, metadata={"subject_type": "pairwise"})
    hint = shop.tokens(browser)["id_token"]
    assert shop.claims(hint)["sub"].startswith("pw-")
    assert "code" in query_of(shop.ask(browser, prompt="none", id_token_hint=hint))
    other = shop.app.test_client()
    sign_in(other, username="bob")
    assert query_of(shop.ask(other, prompt="none", id_token_hint=hint))["error"] == "login_required"


def test_no_site_learns_by_anothers_hint_who_somebody_is_there(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    for site in (shop, wiki):
        change_client(site, metadata={"subject_type": "pairwise"})
    hint = shop.tokens(browser)["id_token"]
    assert query_of(wiki.ask(browser, prompt="none", id_token_hint=hint))["error"] == "login_required"


def test_a_hint_beside_a_session_of_the_same_person_costs_no_password(browser: FlaskClient, shop: OidcSite) -> None:
    hint = shop.tokens(browser)["id_token"]
    assert "code" in query_of(shop.ask(browser, id_token_hint=hint))


def test_resources_travel_to_the_ticket_each_once(browser: FlaskClient, shop: OidcSite) -> None:
    change_client(shop, metadata={"resources": (A, B)})
    sign_in(browser)
    query = urlencode([*shop.params().items(), ("resource", A), ("resource", B), ("resource", A)])
    assert details_of(shop, query_of(browser.get(f"/authorize?{query}"))["code"]).resources == (A, B)


def test_resources_outlast_the_sign_in_page_and_a_post(browser: FlaskClient, shop: OidcSite) -> None:
    change_client(shop, metadata={"resources": (A, B)})
    fields = {**shop.params(), "resource": [A, B]}
    redirect = browser.post("/authorize", data=fields)
    page = browser.get(redirect.headers["Location"])
    way_back = sign_in(browser, page.headers["Location"])
    code = query_of(browser.get(way_back.headers["Location"]))["code"]
    assert details_of(shop, code).resources == (A, B)


@pytest.mark.parametrize(
    "resource", ["https://c.example/", "not-a-uri", f"{A} https://c.example/", "https://a.example"]
)
def test_a_resource_that_is_not_for_the_client_is_an_invalid_target(
    browser: FlaskClient, shop: OidcSite, resource: str
) -> None:
    change_client(shop, metadata={"resources": (A, B)})
    sign_in(browser)
    assert query_of(shop.ask(browser, resource=resource))["error"] == "invalid_target"


@pytest.mark.parametrize("jkt", ["short", "k" * 42, "k" * 44, "k" * 42 + "=", "k" * 42 + "+"])
def test_a_thumbprint_that_is_none_is_refused(browser: FlaskClient, shop: OidcSite, jkt: str) -> None:
    sign_in(browser)
    assert query_of(shop.ask(browser, dpop_jkt=jkt))["error"] == "invalid_request"


def test_a_code_is_bound_to_the_key_that_the_request_names(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    code = shop.code(browser, dpop_jkt="k" * 43)
    assert details_of(shop, code).dpop_jkt == "k" * 43
    assert shop.redeem(code).get_json()["error"] in ("invalid_grant", "invalid_dpop_proof")


def test_nobody_types_a_password_for_a_class_that_none_can_meet(browser: FlaskClient, shop: OidcSite) -> None:
    claims = '{"id_token":{"acr":{"essential":true,"values":["urn:example:iris"]}}}'
    assert query_of(shop.ask(browser, claims=claims))["error"] == "unmet_authentication_requirements"
    assert path_of(shop.ask(browser, claims=claims.replace("true", "false"))) == "/sign-in"


def test_a_client_without_the_grant_signs_nobody_in(browser: FlaskClient, shop: OidcSite) -> None:
    change_client(shop, metadata={"grant_types": ("client_credentials",)})
    sign_in(browser)
    assert query_of(shop.ask(browser))["error"] == "unauthorized_client"


@pytest.mark.covers("line-30")
def test_an_app_on_a_device_may_take_any_port_of_its_own_loopback(browser: FlaskClient, spa: OidcSite) -> None:
    change_client(
        spa,
        redirect_uris=("http://127.0.0.1/cb", "http://[::1]:1/cb", "com.example.app:/cb"),
        metadata={"application_type": "native"},
    )
    sign_in(browser)
    for good in ("http://127.0.0.1:51004/cb", "http://[::1]:51004/cb", "http://127.0.0.1/cb", "com.example.app:/cb"):
        answer = spa.ask(browser, redirect_uri=good)
        assert answer.headers["Location"].startswith(f"{good}?code="), good
        code = query_of(answer)["code"]
        assert spa.redeem(code, redirect_uri=good).status_code == 200
    for bad in (
        "http://127.0.0.1:51004/other", "http://localhost:51004/cb", "https://127.0.0.1:51004/cb",
        "http://127.0.0.1:0/cb", "http://127.0.0.1:99999/cb", "http://127.0.0.2:51004/cb",
        "http://127.0.0.1:51004/cb?x", "http://127.0.0.1:51004@evil.example/cb", "com.example.app:/other",
    ):  # fmt: skip
        assert spa.ask(browser, redirect_uri=bad).status_code == 400, bad


@pytest.mark.covers("line-30")
def test_a_web_client_may_not(browser: FlaskClient, spa: OidcSite) -> None:
    change_client(spa, redirect_uris=("http://127.0.0.1/cb",))
    assert spa.ask(browser, redirect_uri="http://127.0.0.1:51004/cb").status_code == 400


@pytest.mark.covers("oidcc-display-page", "oidcc-display-popup")
def test_every_way_of_display_is_understood_and_named(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    offered = browser.get("/.well-known/openid-configuration").get_json()["display_values_supported"]
    assert offered == ["page", "popup", "touch", "wap"]
    for display in (*offered, "hologram"):
        assert "code" in query_of(shop.ask(browser, display=display))


@pytest.mark.covers("line-6", "ensure-request-with-long-state")
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=300))
def test_whatever_the_state_holds_it_comes_back_as_it_was(browser: FlaskClient, shop: OidcSite, state: str) -> None:
    assert query_of(shop.ask(browser, prompt="none", state=state))["state"] == state


@pytest.mark.covers("line-6", "ensure-request-with-long-state")
@pytest.mark.parametrize("state", ["s" * 1000, "漢" * 500, "s" * 2000, "s" * 4000, "漢" * 2000, "s" * 5000])
def test_a_long_state_comes_back_whole_or_is_refused_cleanly(browser: FlaskClient, shop: OidcSite, state: str) -> None:
    answer = shop.ask(browser, state=state)
    if answer.status_code == 303:
        way_back = sign_in(browser, answer.headers["Location"])
        assert query_of(browser.get(way_back.headers["Location"]))["state"] == state
    else:
        assert (answer.status_code, answer.headers.get("Location")) == (400, None)
        assert len(state) > 1000


@pytest.mark.covers("ensure-request-with-64-characters-nonce-succeeds", "ensure-request-with-long-nonce")
@pytest.mark.parametrize("length", [1, 64, 384])
def test_a_nonce_of_64_or_384_characters_comes_back_whole(browser: FlaskClient, shop: OidcSite, length: int) -> None:
    nonce = ("0123456789abcdef" * 24)[:length]
    assert shop.claims(shop.tokens(browser, nonce=nonce)["id_token"])["nonce"] == nonce


@pytest.mark.covers("line-81")
def test_offline_access_goes_to_who_may_refresh_and_to_nobody_else(browser: FlaskClient, shop: OidcSite) -> None:
    assert "offline_access" in shop.tokens(browser, scope="openid offline_access")["scope"]
    change_client(shop, refresh_tokens=False)
    tokens = shop.tokens(browser, scope="openid offline_access")
    assert (tokens["scope"], "refresh_token" in tokens) == ("openid", False)


@pytest.mark.covers("line-81")
def test_a_third_party_has_offline_access_by_the_persons_consent_alone(browser: FlaskClient, shop: OidcSite) -> None:
    change_client(shop, metadata={"third_party": True})
    sign_in(browser)
    silent = query_of(shop.ask(browser, scope="openid offline_access", prompt="none"))
    assert silent["error"] == "consent_required"


@pytest.mark.covers("line-3")
@pytest.mark.parametrize("name", ["state", "redirect_uri", "client_id", "scope", "prompt", "nonce", "extra"])
def test_a_parameter_that_comes_twice_is_an_invalid_request(browser: FlaskClient, shop: OidcSite, name: str) -> None:
    sign_in(browser)
    pairs = [*shop.params(prompt="none", extra="x").items()]
    twice = urlencode([*pairs, (name, dict(pairs)[name])])
    form = {"data": twice, "content_type": "application/x-www-form-urlencoded"}
    for answer in (browser.get(f"/authorize?{twice}"), browser.post("/authorize", **form)):
        assert (answer.status_code, answer.headers.get("Location")) == (400, None)


@pytest.mark.covers("line-4")
def test_a_parameter_without_a_value_is_as_if_it_were_not_there(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    empty = ("prompt", "max_age", "id_token_hint", "request", "request_uri", "registration", "claims", "resource")
    assert "code" in query_of(shop.ask(browser, **dict.fromkeys((*empty, "dpop_jkt", "acr_values", "display"), "")))
    assert "error" in query_of(shop.ask(browser, response_type=""))


@pytest.mark.covers("line-51", "line-33")
def test_whoever_answers_is_named_in_good_and_bad_answers(browser: FlaskClient, shop: OidcSite) -> None:
    offered = browser.get("/.well-known/openid-configuration").get_json()
    assert offered["authorization_response_iss_parameter_supported"] is True
    assert query_of(shop.ask(browser, prompt="none"))["iss"] == ISSUER
    sign_in(browser)
    assert query_of(shop.ask(browser))["iss"] == ISSUER
