"""Signing out at a Django site, here and elsewhere: nothing of Django's own brings anybody back."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.django_site import Browser, DjangoSites
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, new_sid

FORM = "application/x-www-form-urlencoded"
SAME = {"Sec_Fetch_Site": "same-origin"}


@contextmanager
def heard() -> Iterator[list[Any]]:
    """What Django's own signal and ours say."""
    from django.contrib.auth.signals import user_logged_out

    from sso_client.django import sso_signed_out

    said: list[Any] = []

    def logged_out(user: Any, **_: Any) -> None:
        said.append(user and user.username)

    def signed_out(user: Any, reason: str, **_: Any) -> None:
        said.append((user.sub, reason))

    user_logged_out.connect(logged_out)
    sso_signed_out.connect(signed_out)
    try:
        yield said
    finally:
        user_logged_out.disconnect(logged_out)
        sso_signed_out.disconnect(signed_out)


def call(browser: Browser, sid: str) -> Any:
    """The centre's logout call: no cookie, no CSRF token."""
    body = browser.centre.logout_form(sid=sid)
    http = browser.http.__class__(enforce_csrf_checks=True, SERVER_NAME="localhost")
    return http.post("/sso/backchannel-logout", body, content_type=FORM)


@pytest.mark.covers("line-123")
def test_a_logout_call_ends_request_user_and_djangos_session(at_django: Browser) -> None:
    sid = new_sid()
    at_django.sign_in(sid=sid)
    at_django.get("/cart?put=alices")
    with heard() as said:
        told = call(at_django, sid)
        assert (told.status_code, told.headers["Cache-Control"]) == (200, "no-store")
        assert told.headers["Lockstep-Store"].startswith("st-")
        assert at_django.text("/cart") == "empty", "a page that doesn't ask who it is shows nothing of hers either"
    assert said == [("usr-alice", "sign_out"), "alice"]
    assert at_django.text("/open") == "False False"
    assert at_django.get("/account").status_code == 302


def test_djangos_session_brought_back_undoes_no_sign_out(at_django: Browser) -> None:
    sid = new_sid()
    at_django.sign_in(sid=sid)
    kept = {name: at_django.http.cookies[name].value for name in ("sessionid", "sso-shop")}
    call(at_django, sid)
    for names in (("sessionid",), ("sessionid", "sso-shop")):
        for name in names:
            at_django.http.cookies[name] = kept[name]
        assert at_django.get("/account").status_code == 302
        assert at_django.text("/open") == "False False"


def test_a_django_session_from_before_lets_nobody_in(at_django: Browser) -> None:
    from django.contrib.auth.models import User

    root = User.objects.create_superuser("root", password="x")
    for backend in ("django.contrib.auth.backends.ModelBackend", "sso_client.django.SSOBackend"):
        at_django.http.force_login(root, backend)
        assert at_django.text("/open") == "False False"
        at_django.http.force_login(root, backend)
        assert at_django.get("/account").status_code == 302


def test_the_person_signs_out_by_the_sites_form(at_django: Browser, centre: FakeProvider) -> None:
    at_django.sign_in()
    at_django.get("/cart?put=alices")
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', at_django.text("/links")))
    with heard() as said:
        done = at_django.post("/sso/logout", fields | {"scope": "browser"})
    assert done.status_code == 303
    assert done.headers["Location"].startswith(f"{centre.issuer}/end-session")
    assert said == [("usr-alice", "signed_out_here"), "alice"]
    assert list(centre.ended.values()) == ["site_sign_out"]
    assert at_django.text("/cart") == "empty"
    assert at_django.text("/open") == "False False"


@pytest.mark.parametrize("headers", [{}, {"Sec_Fetch_Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_signing_out_needs_proof_that_this_site_asked(headers: dict[str, str], at_django: Browser) -> None:
    at_django.sign_in()
    at_django.get("/cart?put=alices")
    assert at_django.post("/sso/logout", **headers).status_code == 403
    assert at_django.text("/cart") == "alices"
    assert at_django.get("/account").status_code == 200


def test_everywhere_keeps_the_session_until_the_centre_has_asked(at_django: Browser, centre: FakeProvider) -> None:
    at_django.sign_in()
    done = at_django.post("/sso/logout", {"scope": "everywhere"}, **SAME)
    assert done.headers["Location"] == f"{centre.issuer}/end-session?client_id=shop"
    assert at_django.get("/account").status_code == 200


def test_this_site_only_leaves_the_centre_as_it_is(at_django: Browser, centre: FakeProvider) -> None:
    at_django.sign_in()
    page = at_django.post("/sso/logout", {"scope": "site"}, **SAME)
    assert "Signed out of this site only" in page.content.decode()
    assert centre.ended == {}
    assert at_django.text("/open") == "False False"


def test_auth_logout_of_the_sites_own_is_a_real_sign_out(at_django: Browser, centre: FakeProvider) -> None:
    at_django.sign_in()
    with heard() as said:
        bye = at_django.get("/leave")
    assert bye.content == b"bye False False"
    assert bye.cookies["sso-shop"]["max-age"] == 0
    assert said == [("usr-alice", "signed_out_here"), "alice"]
    assert list(centre.ended.values()) == ["site_sign_out"]
    assert at_django.get("/account").status_code == 302


def test_signing_out_while_the_centre_is_down_ends_here(at_django: Browser, centre: FakeProvider) -> None:
    at_django.sign_in()
    centre.down()
    page = at_django.post("/sso/logout", **SAME)
    assert "will be told as soon as it is back" in page.content.decode()
    assert at_django.text("/open") == "False False"


def test_a_late_sign_out_is_no_other_persons(django_sites: DjangoSites) -> None:
    alice, bob = django_sites.browser(), django_sites.another()
    alice.sign_in()
    bob.sign_in(sub="usr-bob")
    alice.post("/sso/logout", **SAME)
    assert bob.get("/account").status_code == 200


def test_an_end_that_check_in_brings_ends_djangos_session(
    at_django: Browser, centre: FakeProvider, clock: MovedClock
) -> None:
    sid = new_sid()
    at_django.sign_in(sid=sid)
    at_django.get("/cart?put=alices")
    centre.end(sid)
    clock.go(61)
    with heard() as said:
        assert at_django.text("/cart") == "empty"
    assert [who for who in said if isinstance(who, tuple)] == [("usr-alice", centre.ended[sid])]
