"""A Django site for tests: one settings module for the whole process; what differs between tests is its dict `SSO`."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.test import Client, override_settings
from django.urls import include, path

from sso_client import django as sso
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, new_sid

CONTRIB = ("admin", "auth", "contenttypes", "sessions", "messages")
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "sso_client.django.SSOMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]


def configure(folder: Path) -> None:
    """Set Django up with its own database. Once for each process."""
    if settings.configured:
        return
    settings.configure(
        BASE_DIR=folder,
        SECRET_KEY="of a test",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=[*(f"django.contrib.{name}" for name in CONTRIB), "sso_client.django"],
        MIDDLEWARE=MIDDLEWARE,
        AUTHENTICATION_BACKENDS=["sso_client.django.SSOBackend", "django.contrib.auth.backends.ModelBackend"],
        LOGIN_URL="sso:login",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "accounts.sqlite3"}},
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        USE_TZ=True,
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


@dataclass
class Browser:
    """A person with a browser at the Django site."""

    http: Any
    centre: FakeProvider

    def get(self, page: str, **headers: str) -> Any:
        return self.http.get(page, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, page: str, data: dict[str, str] | None = None, **headers: str) -> Any:
        kind = "application/x-www-form-urlencoded"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(page, urlencode(data or {}), content_type=kind, headers=sent)

    def start(self, page: str = "/account") -> str:
        """Open a guarded page and follow to the centre; returns the centre's address."""
        answer = self.get(page)
        for _ in range(5):
            if answer.status_code == 302 and answer.headers["Location"].startswith("/"):
                answer = self.get(answer.headers["Location"])
        assert answer.status_code == 302, answer.content.decode()
        return str(answer.headers["Location"])

    def sign_in(self, page: str = "/account", sid: str | None = None, sub: str = "usr-alice") -> Any:
        """The whole way round; returns the answer to the callback."""
        return self.get(self.centre.callback_url(self.start(page), sid=sid or new_sid(), sub=sub))

    def text(self, page: str, **headers: str) -> str:
        return str(self.get(page, **headers).content.decode())


@dataclass
class DjangoSites:
    """The site as it is under this test's settings."""

    centre: FakeProvider
    clock: MovedClock
    folder: Path
    stack: ExitStack

    def browser(self, *, django: dict[str, Any] | None = None, **options: Any) -> Browser:
        """Somebody at the site with more in its dict `SSO` (ADMIN=...) and in Django's settings."""
        from sso_client.django import connection
        from sso_client.django import options as site_options

        given = {"ISSUER": self.centre.issuer, "CLIENT_ID": self.centre.client_id}
        given |= {"CLIENT_SECRET": self.centre.client_secret, "DATA_DIR": self.folder}
        self.stack.enter_context(override_settings(SSO=given | options, **(django or {})))
        drop_connection()
        connection._current = connection.Connection(site_options.read_options(), self.clock)
        return self.another()

    def another(self) -> Browser:
        """Somebody else, whom Django's CSRF protection takes seriously as well."""
        return Browser(Client(enforce_csrf_checks=True, SERVER_NAME="localhost"), self.centre)


def drop_connection() -> None:
    """Close the process's connection, if it has one."""
    from sso_client.django import connection

    if connection._current is not None:
        connection._current.client.close()
        connection._current = None


def django_sites(centre: FakeProvider, clock: MovedClock, folder: Path) -> Iterator[DjangoSites]:
    """Sites for one test, and an empty database afterwards."""
    from django.contrib.auth.models import Group, User
    from django.contrib.sessions.models import Session
    from django.db import connections

    with ExitStack() as stack:
        yield DjangoSites(centre, clock, folder / "sso-data", stack)
    drop_connection()
    for model in (User, Group, Session):
        model.objects.all().delete()
    connections.close_all()


# ---------------------------------------------------------------- the site's pages


def _guarded(view: Any) -> Any:
    from django.contrib.auth.decorators import login_required

    return login_required(view)


def _permitted(view: Any) -> Any:
    from django.contrib.auth.decorators import permission_required

    return permission_required("auth.delete_user")(view)


def account(request: Any, rest: str = "") -> HttpResponse:
    return HttpResponse(f"{request.user.get_username()} {request.user.get_full_name()} {rest}".strip())


def open_page(request: Any) -> HttpResponse:
    return HttpResponse(f"{request.user.is_authenticated} {bool(request.sso_user)} {request.sso_user.name}".strip())


def cart(request: Any) -> HttpResponse:
    """What a site keeps in Django's session, without asking who it is."""
    if "put" in request.GET:
        request.session["cart"] = request.GET["put"]
    return HttpResponse(request.session.get("cart", "empty"))


def public(request: Any) -> HttpResponse:
    return HttpResponse("public")


def form(request: Any) -> HttpResponse:
    from django.template import engines

    return HttpResponse(engines["django"].from_string("{% csrf_token %}").render({}, request))


def links(request: Any) -> HttpResponse:
    from django.template import engines

    page = "{% load sso %}{% sso_login_url %} {% sso_logout_url %} {% sso_logout_fields 'site' %}"
    return HttpResponse(engines["django"].from_string(page).render({}, request))


def leave(request: Any) -> HttpResponse:
    """The sign-out that the site had before."""
    from django.contrib.auth import logout

    logout(request)
    return HttpResponse(f"bye {request.user.is_authenticated} {bool(request.sso_user)}")


@sso.login_required(groups=["staff"])
def staff(request: Any) -> HttpResponse:
    return HttpResponse(f"staff: {request.sso_user.username}")


@sso.login_required(max_age=300)
def fresh(request: Any) -> HttpResponse:
    return HttpResponse("fresh")


@sso.login_required
async def later(request: Any) -> HttpResponse:
    watched = await sync_to_async(sso.still_signed_in)(request)
    return HttpResponse(f"{request.user.get_username()} {(await request.auser()).pk == request.user.pk} {watched}")


async def seen(request: Any) -> HttpResponse:
    """An async view without a guard that asks who it is, in the event loop."""
    return HttpResponse(request.user.get_username() or "nobody")


@sso.bearer_required(scope="profile")
def api(request: Any) -> JsonResponse:
    return JsonResponse({"sub": request.sso_user.sub, "user": request.user.get_username()})


@sso.bearer_required(scope="profile")
async def api_later(request: Any) -> JsonResponse:
    return JsonResponse({"user": request.user.get_username()})


@sso.login_required
def token(request: Any) -> JsonResponse:
    return JsonResponse({"access_token": sso.access_token(request)})


def _urlpatterns() -> list[Any]:
    from django.contrib import admin

    return [
        path("account", _guarded(account)),
        path("deep/<path:rest>", _guarded(account)),
        path("permitted", _permitted(account)),
        path("open", open_page),
        path("cart", cart),
        path("public", public),
        path("form", form),
        path("links", links),
        path("leave", leave),
        path("staff", staff),
        path("fresh", fresh),
        path("later", later),
        path("seen", seen),
        path("api", api),
        path("api/later", api_later),
        path("token", token),
        path("admin/", admin.site.urls),
        path("sso/", include("sso_client.django.urls")),
    ]


def __getattr__(name: str) -> Any:
    """The URLs, when Django asks for them: the admin needs its models."""
    if name != "urlpatterns":
        raise AttributeError(name)
    globals()[name] = _urlpatterns()
    return globals()[name]
