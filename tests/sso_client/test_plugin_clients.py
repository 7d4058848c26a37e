"""The same story through every kind of test client: a page, a sign-in, a refused forgery, a sign-out."""

import pytest
import werkzeug.test
from flask import Flask
from starlette.testclient import TestClient

from sso_client.testing import FakeSSO, WsgiClient
from sso_client.testing.site import site_of
from tests.house.sources import ROOT
from tests.support.plugin_site import make_fastapi_site, make_site, make_starlette_site, make_wsgi_site

pytest_plugins = ["pytester"]


def tell_the_story(fake_sso: FakeSSO, client: object) -> None:
    site = site_of(client)
    assert site.open("/").status == 302
    assert fake_sso.visit(client, "/").text == "Hi Alice"
    (sid,) = fake_sso.live("alice")
    assert fake_sso.call_logout(client, fake_sso.logout_token(sid, forged=True)).status == 400
    assert site.open("/").text == "Hi Alice"
    fake_sso.sign_out("alice")
    assert site.open("/").status == 302


def test_flask(fake_sso: FakeSSO) -> None:
    tell_the_story(fake_sso, make_site().test_client())


def test_werkzeug(fake_sso: FakeSSO) -> None:
    tell_the_story(fake_sso, werkzeug.test.Client(make_site()))


def test_plain_wsgi(fake_sso: FakeSSO) -> None:
    tell_the_story(fake_sso, WsgiClient(make_wsgi_site()))


def test_flask_by_its_wsgi_side(fake_sso: FakeSSO) -> None:
    tell_the_story(fake_sso, WsgiClient(make_site()))


@pytest.mark.parametrize("make", [make_starlette_site, make_fastapi_site])
def test_starlette_within_its_lifespan(make, fake_sso: FakeSSO) -> None:
    with TestClient(make()) as client:
        tell_the_story(fake_sso, client)


def test_the_call_of_a_starlette_site_brings_no_cookie(fake_sso: FakeSSO) -> None:
    site, seen = make_starlette_site(), []

    async def watched(scope, receive, send) -> None:
        if scope["type"] == "http":
            seen.append((scope["method"], b"cookie" in dict(scope["headers"])))
        await site(scope, receive, send)

    with TestClient(watched) as client:
        fake_sso.visit(client, "/")
        fake_sso.sign_out("alice")
        client.get("/", follow_redirects=False)
    assert seen[-3:] == [("GET", True), ("POST", False), ("GET", True)]


def test_the_call_of_a_wsgi_site_brings_no_cookie(fake_sso: FakeSSO) -> None:
    site, seen = make_wsgi_site(), []

    def watched(environ, start_response):
        seen.append((environ["REQUEST_METHOD"], "HTTP_COOKIE" in environ))
        return site(environ, start_response)

    client = WsgiClient(watched)
    fake_sso.visit(client, "/")
    fake_sso.sign_out("alice")
    client.get("/")
    assert seen[-3:] == [("GET", True), ("POST", False), ("GET", True)]


def test_a_client_of_an_unknown_kind_is_named(fake_sso: FakeSSO) -> None:
    for client in (Flask("site"), make_wsgi_site(), object()):
        with pytest.raises(TypeError, match="no test client that is known"):
            fake_sso.sign_in(client)


def test_a_wsgi_client_keeps_and_forgets_cookies_and_posts_forms(fake_sso: FakeSSO) -> None:
    client = WsgiClient(make_site())
    fake_sso.sign_in(client)
    answer = client.post("/sso/logout", {"scope": "site"}, {"Sec-Fetch-Site": "same-origin"})
    assert answer.status == 200
    assert not [name for name in client.cookies if name.endswith("site-under-test")], "the session's cookie is gone"
    assert client.get("/", {"Accept": "application/json"}).status == 401


DJANGO = """
import django
from django.conf import settings
from django.test import AsyncClient, Client
from django.urls import re_path
import pytest
from sso_client.testing import LogoutNotDone
from tests.sso_client.test_plugin_clients import tell_the_story
from tests.support.verb_site import django_view

settings.configure(
    ALLOWED_HOSTS=["testserver"], ROOT_URLCONF=__name__, MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"]
)
django.setup()
urlpatterns = []

@pytest.fixture
def mount():
    def mount(view):
        urlpatterns[:] = [re_path("", view)]
        django.urls.clear_url_caches()
    return mount

def test_the_story(fake_sso, mount):
    mount(django_view())
    tell_the_story(fake_sso, Client())

def test_the_call_brings_no_cookie(fake_sso, mount):
    seen, view = [], django_view()

    def watched(request):
        seen.append((request.method, bool(request.COOKIES)))
        return view(request)

    watched.csrf_exempt = True
    mount(watched)
    client = Client()
    fake_sso.visit(client, "/")
    fake_sso.sign_out("alice")
    client.get("/")
    assert seen[-3:] == [("GET", True), ("POST", False), ("GET", True)]

def test_a_logout_route_that_is_not_exempt_is_found_out(fake_sso, mount):
    mount(django_view(exempt=False))
    fake_sso.sign_in(Client())
    with pytest.raises(LogoutNotDone, match="403"):
        fake_sso.sign_out("alice")

def test_an_async_client_is_refused(fake_sso):
    with pytest.raises(TypeError, match="AsyncClient is no test client that is known"):
        fake_sso.sign_in(AsyncClient())
"""


def test_django(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    # A process of its own: Django's settings are one for each process.
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(test_with_django=DJANGO)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=4)
