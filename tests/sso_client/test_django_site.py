"""A guarded Django site: who gets what answer, what happens when things are down, and what `manage.py check` says."""

import asyncio
from typing import Any

import pytest
from django.conf import settings
from django.test import AsyncClient, Client, RequestFactory, override_settings

from sso_client.settings import Settings
from sso_client.testing.tokens import Grant
from tests.support.django_site import MIDDLEWARE, Browser, DjangoSites
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, new_sid

GUARDS_ALL = {"MIDDLEWARE": [*MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]}
OWN_GUARD = {"MIDDLEWARE": [*MIDDLEWARE, "tests.sso_client.test_django_site.own_guard"]}


def own_guard(get_response: Any) -> Any:
    """What a site may have had before: a guard in front of every page."""

    def guard(request: Any) -> Any:
        assert request.user is not None
        str(request.user)
        return get_response(request)

    return guard


@pytest.mark.parametrize("page", ["/account", "/staff", "/later"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "application/json"},
        {"X_Requested_With": "XMLHttpRequest"},
        {"HX_Request": "true"},
        {"Sec_Fetch_Dest": "empty", "Sec_Fetch_Mode": "cors"},
    ],
)
def test_a_program_gets_401_json_and_no_redirect(headers: dict[str, str], page: str, at_django: Browser) -> None:
    answer = at_django.get(page, **headers)
    assert answer.status_code == 401
    assert answer.json() == {"error": "login_required", "login_url": "http://localhost/sso/login?next=/"}
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("page", ["/deep/order", "/fresh"])
def test_an_unsafe_request_is_never_redirected(page: str, at_django: Browser) -> None:
    at_django.http.handler.enforce_csrf_checks = False
    answer = at_django.post(page, Referer="http://localhost/deep/x?y=1")
    assert answer.status_code == 401
    assert 'href="/sso/login?next=/deep/x?y%3D1' in answer.content.decode()
    at_django.sign_in()
    assert at_django.post(page).status_code == 200


def test_a_sign_in_for_another_page_or_a_stronger_one_is_left_alone(at_django: Browser) -> None:
    from django.shortcuts import redirect

    from sso_client.django.middleware import SSOMiddleware

    middleware = SSOMiddleware(lambda _: redirect("/sso/login?next=/deep/x"))
    for request in (RequestFactory(SERVER_NAME="localhost").post("/order"), RequestFactory().get("/order")):
        answer = middleware(request)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/sso/login?next=/deep/x")
    middleware = SSOMiddleware(lambda _: redirect("/sso/login?next=/order&max_age=60"))
    assert middleware(RequestFactory(SERVER_NAME="localhost").post("/order")).status_code == 302


def test_a_group_that_is_missing_is_403_in_words(at_django: Browser, centre: FakeProvider) -> None:
    at_django.sign_in()
    page = at_django.get("/staff")
    assert page.status_code == 403
    assert "group_required" in page.content.decode()
    centre.profile["groups"] = ["staff"]
    at_django.http.cookies.clear()
    at_django.sign_in()
    assert at_django.text("/staff") == "staff: alice"


def test_a_permission_that_is_missing_is_403_and_no_loop(at_django: Browser) -> None:
    from django.contrib.auth.models import User

    at_django.sign_in()
    page = at_django.get("/permitted")
    assert page.status_code == 403
    assert "group_required" in page.content.decode()
    User.objects.update(is_superuser=True)
    assert at_django.get("/permitted").status_code == 200


@pytest.mark.parametrize("page", ["/fresh", "/later"])
def test_whose_account_is_gone_is_refused_and_sent_nowhere(page: str, at_django: Browser) -> None:
    from django.contrib.auth.models import User

    at_django.sign_in()
    assert at_django.get(page).status_code == 200
    User.objects.update(is_active=False)
    answer = at_django.get(page)
    assert (answer.status_code, "account_refused" in answer.content.decode()) == (403, True)


def test_me_tells_who_is_signed_in_and_keeps_nobody_active(
    at_django: Browser, centre: FakeProvider, clock: MovedClock
) -> None:
    assert at_django.get("/sso/me").json() == {"signed_in": False, "login_url": "/sso/login"}
    at_django.sign_in()
    for _ in range(4):
        clock.go(31)
        assert at_django.get("/sso/me").json()["name"] == "Alice Example"
    assert centre.check_ins
    assert [told["active"] for told in centre.check_ins] == [[]] * len(centre.check_ins)


@pytest.mark.parametrize("django", [{}, GUARDS_ALL, OWN_GUARD], ids=["view", "LoginRequiredMiddleware", "own guard"])
def test_without_a_confirmation_people_see_a_plain_503_wherever_the_guard_stands(
    django: dict[str, Any], django_sites: DjangoSites, centre: FakeProvider, clock: MovedClock
) -> None:
    alice = django_sites.browser(django=django)
    alice.http.raise_request_exception = django is not OWN_GUARD  # Django logs that one before we answer it
    alice.sign_in()
    alice.get("/cart?put=alices")
    centre.down()
    clock.go(61)
    page = alice.get("/account", Accept_Language="en")
    assert page.status_code == 503
    assert int(page.headers["Retry-After"]) > 0
    assert page.headers["Cache-Control"] == "no-store"
    assert "We can&#x27;t confirm that you are still signed in" in page.content.decode()
    assert "暂时无法确认" in alice.text("/staff", Accept_Language="zh-TW")
    assert alice.get("/later").status_code == 503
    assert alice.get("/account", Accept="application/json").json()["error"] == "lease_expired"
    assert alice.get("/public").status_code == (503 if django else 200)
    centre.up()
    clock.go(11)
    assert alice.get("/account").status_code == 200
    assert alice.text("/cart") == "alices", "nothing was ended"


def test_where_everything_is_guarded_people_still_get_in_and_the_centre_through(django_sites: DjangoSites) -> None:
    alice, sid = django_sites.browser(django=GUARDS_ALL), new_sid()
    assert alice.get("/public").headers["Location"] == "/sso/login?next=/public"
    alice.sign_in("/public", sid=sid)
    assert alice.get("/public").status_code == 200
    told = django_sites.another().post("/sso/backchannel-logout", {"logout_token": alice.centre.logout_token(sid=sid)})
    assert told.status_code == 200
    assert alice.get("/public").status_code == 302


def test_a_centre_that_is_down_at_the_start_is_a_page_at_sign_in_only(
    django_sites: DjangoSites, centre: FakeProvider
) -> None:
    centre.down()
    anna = django_sites.browser()
    assert anna.text("/open") == "False False"
    page = anna.get("/sso/login")
    assert page.status_code == 503
    assert "discovery_unreachable" in page.content.decode()


def test_a_public_page_is_the_same_for_everybody(at_django: Browser) -> None:
    at_django.sign_in()
    page = at_django.get("/public")
    assert "Cookie" not in page.headers.get("Vary", "")
    assert "Cache-Control" not in page.headers


def test_async_views_have_the_person_without_blocking_their_loop(
    django_sites: DjangoSites, centre: FakeProvider, clock: MovedClock
) -> None:
    alice = django_sites.browser(BASE_URL="http://localhost")  # Django's async client is always at "testserver"
    alice.sign_in()
    cookies = {name: alice.http.cookies[name].value for name in ("sso-shop", "sessionid")}

    async def ask(page: str) -> Any:
        http = AsyncClient()
        http.cookies.load(cookies)
        return await http.get(page)

    assert asyncio.run(ask("/later")).content == b"alice True True"
    assert asyncio.run(ask("/seen")).content == b"alice"
    assert asyncio.run(ask("/account")).content == b"alice Alice Example"
    assert asyncio.run(ask("/staff")).status_code == 403
    centre.down()
    clock.go(61)
    assert asyncio.run(ask("/later")).status_code == 503
    assert asyncio.run(ask("/seen")).status_code == 503
    cookies.clear()
    assert asyncio.run(ask("/seen")).content == b"nobody"
    assert asyncio.run(ask("/later")).headers["Location"] == "/sso/login?next=/later"


def test_an_api_takes_access_tokens_and_never_redirects(at_django: Browser, centre: FakeProvider) -> None:
    for headers in ({}, {"Authorization": "Bearer made-up"}, {"Authorization": "Basic eDp5"}):
        answer = at_django.get("/api", **headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="shop"')
    at_django.sign_in()
    token = at_django.get("/token").json()["access_token"]
    assert at_django.get("/api").status_code == 401, "a cookie is no access token"
    called = Client(enforce_csrf_checks=True, SERVER_NAME="localhost").post(
        "/api", headers={"Authorization": f"Bearer {token}"}
    )
    assert called.json() == {"sub": "usr-alice", "user": "alice"}
    assert called.headers["Cache-Control"] == "no-store"


def test_an_apis_caller_is_the_tokens_person_whoevers_cookie_comes_along(
    django_sites: DjangoSites, centre: FakeProvider
) -> None:
    alice, bob = django_sites.browser(), django_sites.another()
    alice.sign_in()
    token = alice.get("/token").json()["access_token"]
    centre.profile = {"preferred_username": "bob"}
    bob.sign_in(sub="usr-bob")
    assert bob.get("/api", Authorization=f"Bearer {token}").json() == {"sub": "usr-alice", "user": "alice"}
    stranger = centre.new_access_token(Grant(sub="usr-new", sid=new_sid(), scope="openid profile", auth_time=1))
    assert bob.get("/api", Authorization=f"Bearer {stranger}").json() == {"sub": "usr-new", "user": ""}


def test_an_account_that_is_not_active_opens_no_api_either(django_sites: DjangoSites) -> None:
    from django.contrib.auth.models import User

    alice = django_sites.browser(BASE_URL="http://localhost")
    alice.sign_in()
    token = alice.get("/token").json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    for page, found in (("/api", {"sub": "usr-alice", "user": "alice"}), ("/api/later", {"user": "alice"})):
        User.objects.update(is_active=True)
        assert asyncio.run(AsyncClient().get(page, headers=bearer)).json() == found
        User.objects.update(is_active=False)
        answer = asyncio.run(AsyncClient().get(page, headers=bearer))
        assert (answer.status_code, answer.json()["error"]) == (403, "account_refused")


def test_check_names_every_problem_at_once(django_ready: None) -> None:
    from sso_client.django.checks import check_site

    wrong = {
        "ISSUER": "http://sso.example.com",
        "CLIENT": "shop",
        "GROUP_MAP": {"admins": 1},
        "CLAIM_BY": "name",
        "TAB_STREAMS": "2",
        "ON_LOGIN": "no.such.function",
    }
    broken = {"SSO": wrong, "BASE_DIR": None, "LOGIN_URL": "/accounts/login/"}
    with override_settings(**broken, MIDDLEWARE=MIDDLEWARE[:2] + MIDDLEWARE[3:1:-1], AUTHENTICATION_BACKENDS=[]):
        said = [(found.id, found.msg) for found in check_site()]
    assert {code for code, _ in said} == {"sso.E001", "sso.E003", "sso.E004", "sso.W001"}
    for words in (
        "SSO['CLIENT']",
        "SSO_ISSUER 'http://sso.example.com' is plain http",
        "SSO_CLIENT_ID is not set",
        "SSO_CLIENT_SECRET is not set",
        "SSO['GROUP_MAP']['admins']",
        "SSO['CLAIM_BY']",
        "SSO['TAB_STREAMS']",
        "SSO['ON_LOGIN']",
        "SSO['DATA_DIR']",
        "AuthenticationMiddleware must stand before",
        "SSOBackend",
    ):
        assert [message for _, message in said if words in message], words
    with override_settings(MIDDLEWARE=[], ROOT_URLCONF="tests.sso_client.test_django_site"):
        assert {found.id for found in check_site()} >= {"sso.E002", "sso.E005"}


urlpatterns: list[Any] = []


def test_a_site_that_is_set_up_well_has_nothing_to_be_told(at_django: Browser) -> None:
    from sso_client.django.checks import check_site

    assert check_site() == []


def test_the_dict_beats_the_single_setting_which_beats_the_environment(
    django_ready: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from sso_client.django.options import read_options

    for name in ("ISSUER", "CLIENT_ID", "SCOPES"):
        monkeypatch.setenv(f"SSO_{name}", f"https://{name.lower()}.env".removeprefix("https://" * (name != "ISSUER")))
    monkeypatch.setenv("SSO_SCOPES", "openid email")
    (tmp_path / "secret").write_text("in a file\n")
    with override_settings(
        SSO={"ISSUER": "https://dict.example", "CLIENT_SECRET_FILE": tmp_path / "secret"},
        SSO_ISSUER="https://single.example",
        SSO_CLIENT_ID="single",
        SSO_CLIENT_SECRET="single",
    ):
        options = read_options()
    found: Settings = options.settings
    assert (found.issuer, found.client_id, found.client_secret) == ("https://dict.example", "single", "in a file")
    assert found.scopes == ("openid", "email")
    assert options.folder == settings.BASE_DIR / "sso-data"


def test_every_route_of_the_sdk_is_mounted_and_the_tables_are_as_the_models_say(at_django: Browser) -> None:
    from django.core.management import call_command

    from sso_client.django import connection
    from sso_client.django.views import NAMES

    assert set(NAMES) == set(connection.get_connection().routes.by_name)
    call_command("makemigrations", "sso", check_changes=True, dry_run=True, verbosity=0)


def test_a_site_without_the_middleware_says_what_to_do(django_sites: DjangoSites) -> None:
    from django.core.exceptions import ImproperlyConfigured

    anna = django_sites.browser(django={"MIDDLEWARE": MIDDLEWARE[:3]})
    with pytest.raises(ImproperlyConfigured, match="SSOMiddleware"):
        anna.get("/staff")
