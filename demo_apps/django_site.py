"""An example on Django, in one file, with the pages and addresses of its sisters on Flask, FastAPI and plain WSGI.

Environment: `SSO_*` for the SDK. Run: `gunicorn -w 4 'demo_apps.django_site:create_app()'`; accounts and local sessions
lie in the folder `example-data` where it is started.
"""

import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.management import call_command
from django.core.management.utils import get_random_secret_key
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.template import Context, Engine
from django.urls import include, path

from sso_client import django as sso

CONTRIB = [f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions")]
MIDDLEWARE = ["sessions.middleware.SessionMiddleware", "auth.middleware.AuthenticationMiddleware"]
SQLITE = {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20}}
TAGS = {"sso": "sso_client.django.templatetags.sso"}
PAGE = """{% load sso %}<!doctype html><title>Example</title><h1>{{ title }}</h1>
{% if user.is_authenticated %}<p>Signed in as {{ user.get_full_name }}.</p>
<form method="post" action="{% sso_logout_url %}">{% sso_logout_fields %}<button>Sign out</button></form>
{% else %}<p>Nobody is signed in. <a href="{% sso_login_url '/account' %}">Sign in</a></p>{% endif %}"""


def create_app() -> Any:
    """The site as a WSGI application. Raises what `SSOMiddleware` raises."""
    folder = Path("example-data").resolve()
    folder.mkdir(exist_ok=True)
    with (folder / "secret-key").open("a+") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)  # all workers come here at once
        kept.seek(0)
        secret = kept.read() or get_random_secret_key()
        kept.write(secret if kept.tell() == 0 else "")
        settings.configure(
            BASE_DIR=folder,
            SECRET_KEY=secret,
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=__name__,
            INSTALLED_APPS=[*CONTRIB, "sso_client.django"],
            MIDDLEWARE=[*(f"django.contrib.{name}" for name in MIDDLEWARE), "sso_client.django.SSOMiddleware"],
            AUTHENTICATION_BACKENDS=["sso_client.django.SSOBackend"],
            LOGIN_URL="sso:login",
            DATABASES={"default": SQLITE | {"NAME": folder / "accounts.sqlite3"}},
        )
        django.setup()
        call_command("migrate", verbosity=0)
        connection.close()  # a worker that is forked later must not share it
    return get_wsgi_application()


def page(title: str) -> Any:
    def view(request: Any) -> HttpResponse:
        shown = {"request": request, "user": request.user, "title": title}
        return HttpResponse(Engine(libraries=TAGS).from_string(PAGE).render(Context(shown)))

    return view


@sso.bearer_required(scope="profile")
def api_time(request: Any) -> JsonResponse:
    return JsonResponse({"sub": request.sso_user.sub, "now": int(time.monotonic())})


@sso.login_required
def token(request: Any) -> JsonResponse:
    return JsonResponse({"access_token": sso.access_token(request)})


@sso.login_required
def stream(request: Any) -> StreamingHttpResponse:
    def lines() -> Iterator[str]:
        while sso.still_signed_in(request):
            yield f"{int(time.monotonic())}\n"
            time.sleep(0.2)

    return StreamingHttpResponse(lines(), content_type="text/plain")


urlpatterns = [
    path("", page("For everybody")),
    path("account", login_required(page("Your account"))),
    path("staff", sso.login_required(groups=["staff"])(page("For staff"))),
    path("fresh", sso.login_required(max_age=5)(page("For who has just typed a password"))),
    path("api/time", api_time),
    path("token", token),
    path("stream", stream),
    path("sso/", include("sso_client.django.urls")),
]
