"""A Django site with plain `@login_required`, seen from a browser: the way in, and what Django has of it."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.urls import set_script_prefix

from tests.support.django_site import Browser, DjangoSites
from tests.support.fake_provider import FakeProvider


def test_a_guarded_page_leads_to_the_centre_and_back(at_django: Browser) -> None:
    back = at_django.sign_in("/account")
    assert (back.status_code, back.headers["Location"]) == (302, "/account")
    page = at_django.get("/account")
    assert page.content == b"alice Alice Example"
    assert page.headers["Cache-Control"] == "no-store"
    assert "Cookie" in page.headers["Vary"]


def test_a_deep_link_comes_back_whole(at_django: Browser) -> None:
    deep = "/deep/a%20b/%E9%9E%8B?x=1&y=%2F%20z&y=2"
    assert at_django.sign_in(deep).headers["Location"] == deep
    assert at_django.text(deep) == "alice Alice Example a b/鞋"


@pytest.mark.parametrize("evil", ["//evil.example", "/\\evil.example", "https://evil.example"])
def test_a_foreign_next_leads_to_the_start_page(evil: str, at_django: Browser) -> None:
    assert at_django.sign_in("/sso/login?" + urlencode({"next": evil})).headers["Location"] == "/"


def test_a_long_page_is_come_back_to_although_plain_login_required_knows_no_length(at_django: Browser) -> None:
    long = "/deep/x?q=" + "y" * 10_000
    assert len(at_django.get(long).headers["Location"]) < 200
    kept = at_django.sign_in(long).headers["Location"]
    assert at_django.get(kept).headers["Location"] == long


def test_the_cookie_is_opaque_and_not_for_scripts(at_django: Browser) -> None:
    made = at_django.sign_in().cookies["sso-shop"]
    assert len(made.value) == 43
    assert (made["httponly"], made["samesite"], made["path"], made["secure"]) == (True, "Lax", "/", "")


def test_on_https_the_cookie_is_host_bound_and_secure(django_sites: DjangoSites, centre: FakeProvider) -> None:
    alice = django_sites.browser(BASE_URL="https://shop.example")
    answer = alice.http.get("/sso/login", secure=True, SERVER_NAME="shop.example")
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["redirect_uri"] == ["https://shop.example/sso/callback"]
    back = centre.callback_url(answer.headers["Location"], sid="sid-07-x")
    made = alice.http.get(back, secure=True, SERVER_NAME="shop.example").cookies["__Host-sso-shop"]
    assert (made["secure"], made["domain"]) == (True, "")


def test_below_a_mount_point_everything_stays_below_it(django_sites: DjangoSites, centre: FakeProvider) -> None:
    alice = django_sites.browser()
    alice.http.defaults["SCRIPT_NAME"] = "/shop"
    django_sites.stack.callback(set_script_prefix, "/")
    set_script_prefix("/shop/")  # as Django's WSGI handler does; its test client doesn't
    asked = alice.get("/account").headers["Location"]
    assert asked == "/shop/sso/login?next=/shop/account"
    to_centre = alice.get("/sso/login?next=/shop/account").headers["Location"]
    assert parse_qs(urlsplit(to_centre).query)["redirect_uri"] == ["http://localhost/shop/sso/callback"]


def test_django_itself_hears_of_the_sign_in(at_django: Browser) -> None:
    from django.contrib.auth.models import User
    from django.contrib.auth.signals import user_logged_in

    from sso_client.django import sso_signed_in

    heard = []

    def logged_in(user, **_):
        heard.append(user.username)

    def signed_in(user, account, request, **_):
        heard.append((user.sub, account.username, request.user.username, request.sso_user.name))

    user_logged_in.connect(logged_in)
    sso_signed_in.connect(signed_in)
    try:
        at_django.sign_in()
        at_django.get("/account")
    finally:
        user_logged_in.disconnect(logged_in)
        sso_signed_in.disconnect(signed_in)
    assert heard == ["alice", ("usr-alice", "alice", "alice", "Alice Example")]
    assert User.objects.get().last_login is not None


def test_signing_in_gives_djangos_session_another_key_and_its_forms_another_token(at_django: Browser) -> None:
    at_django.get("/cart?put=shoes")
    token = at_django.http.cookies["csrftoken"].value if at_django.get("/form").status_code == 200 else ""
    before = at_django.http.cookies["sessionid"].value
    at_django.sign_in()
    assert at_django.http.cookies["sessionid"].value != before
    assert at_django.http.cookies["csrftoken"].value != token
    assert at_django.text("/cart") == "shoes", "what somebody put in before signing in is still there"


def test_what_one_person_left_in_djangos_session_never_passes_to_another(at_django: Browser) -> None:
    at_django.sign_in()
    at_django.get("/cart?put=alices")
    assert at_django.text("/cart") == "alices"
    del at_django.http.cookies["sso-shop"]
    at_django.centre.profile = {"preferred_username": "bob"}
    at_django.get(at_django.centre.callback_url(at_django.start("/sso/login"), sid="sid-07-b", sub="usr-bob"))
    assert at_django.text("/cart") == "empty"
    assert at_django.text("/account") == "bob bob"


def test_a_django_session_of_somebody_else_is_emptied(django_sites: DjangoSites, centre: FakeProvider) -> None:
    alice = django_sites.browser()
    alice.sign_in()
    alice.get("/cart?put=alices")
    bob = django_sites.another()
    centre.profile = {"preferred_username": "bob"}
    bob.sign_in(sub="usr-bob")
    bob.http.cookies["sessionid"] = alice.http.cookies["sessionid"].value
    assert bob.text("/cart") == "empty"
    assert bob.text("/account") == "bob bob"


@pytest.mark.parametrize("sent", [None, "made-up"])
def test_who_comes_without_djangos_cookie_is_signed_in_and_leaves_nothing_in_the_database(
    sent: str | None, at_django: Browser
) -> None:
    from django.contrib.auth.models import User
    from django.contrib.sessions.models import Session

    at_django.sign_in()
    before = Session.objects.count(), User.objects.get().last_login
    for page in ("/account", "/public", "/form"):
        at_django.http.cookies.pop("sessionid", None)
        if sent:
            at_django.http.cookies["sessionid"] = sent
        assert at_django.get(page).status_code == 200
    assert (Session.objects.count(), User.objects.get().last_login) == before


@pytest.mark.parametrize("is_alice", [True, False])
def test_what_a_view_keeps_for_somebody_without_djangos_cookie_is_that_persons(
    is_alice: bool, at_django: Browser
) -> None:
    at_django.sign_in()
    del at_django.http.cookies["sessionid"]
    at_django.get("/form")
    token = at_django.http.cookies["csrftoken"].value
    at_django.get("/cart?put=alices")
    assert at_django.http.cookies["csrftoken"].value == token, "a form that is open can still be sent"
    if not is_alice:
        del at_django.http.cookies["sso-shop"]
    assert at_django.text("/cart") == ("alices" if is_alice else "empty")


def test_an_unknown_state_restarts_once(at_django: Browser) -> None:
    assert at_django.get("/sso/callback?code=x&state=unknown").headers["Location"] == "/sso/login?next=/&again=1"


def test_a_login_loop_is_cut(at_django: Browser) -> None:
    for _ in range(3):
        at_django.sign_in()
        del at_django.http.cookies["sso-shop"]
    page = at_django.get("/sso/login?next=/account")
    assert page.status_code == 400
    assert "login_loop" in page.content.decode()


def test_a_fresh_sign_in_is_asked_for_where_it_is_demanded(at_django: Browser, centre: FakeProvider) -> None:
    asked = at_django.get("/fresh").headers["Location"]
    assert asked == "/sso/login?next=/fresh&max_age=300"
    assert parse_qs(urlsplit(at_django.get(asked).headers["Location"]).query)["max_age"] == ["300"]


def test_templates_have_the_link_and_the_form(at_django: Browser) -> None:
    at_django.sign_in()
    text = at_django.text("/links?x=1")
    assert text.startswith('/sso/login?next=/links?x%3D1 /sso/logout <input type="hidden" name="logout_form" value=')
    assert re.findall(r'name="scope" value="(\w+)"', text) == ["site"]
