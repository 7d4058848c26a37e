"""Django's admin under single sign-on: no password form, no loop, a sign-out that is one."""

from typing import Any

import pytest

from tests.support.django_site import Browser, DjangoSites
from tests.support.fake_provider import FakeProvider


@pytest.fixture
def admin(django_sites: DjangoSites, centre: FakeProvider) -> Browser:
    centre.profile["groups"] = ["admins"]
    return django_sites.browser(GROUP_MAP={"admins": ["is_staff", "is_superuser"]})


def test_an_administrator_comes_in_by_the_centre(admin: Browser) -> None:
    assert admin.get("/admin/").headers["Location"] == "/admin/login/?next=/admin/"
    assert admin.get("/admin/login/?next=/admin/auth/").headers["Location"] == "/sso/login?next=/admin/auth/"
    assert admin.sign_in("/admin/auth/").headers["Location"] == "/admin/auth/"
    assert admin.get("/admin/auth/").status_code == 200
    assert admin.get("/admin/login/").headers["Location"] == "/admin/"


def test_who_is_no_administrator_gets_a_clear_page_and_no_loop(at_django: Browser) -> None:
    at_django.sign_in()
    page = at_django.get(at_django.get("/admin/").headers["Location"])
    assert page.status_code == 403
    assert "group_required" in page.content.decode()


def test_a_password_opens_nothing(admin: Browser) -> None:
    from django.contrib.auth.models import User

    User.objects.create_superuser("root", password="x")
    admin.http.handler.enforce_csrf_checks = False
    answer = admin.post("/admin/login/", {"username": "root", "password": "x"})
    assert answer.status_code == 401
    assert "sessionid" not in admin.http.cookies
    assert admin.get("/admin/").status_code == 302


def test_log_out_in_the_admin_leads_to_our_page_and_back(admin: Browser) -> None:
    admin.sign_in("/admin/")
    admin.http.handler.enforce_csrf_checks = False
    asked = admin.post("/admin/logout/")
    assert (asked.status_code, asked.headers["Location"]) == (303, "/sso/logout?next=/admin/")
    assert '<a href="/admin/">Stay signed in</a>' in admin.text(asked.headers["Location"])
    admin.post("/sso/logout", Sec_Fetch_Site="same-origin")
    assert admin.get("/admin/").status_code == 302


def test_a_program_at_the_admins_door_gets_json(admin: Browser) -> None:
    assert admin.get("/admin/login/", Accept="application/json").status_code == 401


def test_a_site_may_keep_the_admins_own_form(django_sites: DjangoSites) -> None:
    page: Any = django_sites.browser(ADMIN=False).get("/admin/login/")
    assert 'name="password"' in page.content.decode()
