"""The pages of `all_sites` as Django views; the URLconf of that site."""

from typing import Any

from django.contrib.auth import get_user_model, logout
from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from sso_client import User
from sso_client import django as sso


def name_or_refuse(user: User) -> Any:
    """What the site does at a sign-in."""
    if user.sub == "usr-mallory":
        return False
    return get_user_model().objects.get_or_create(username="seven")[0] if user.sub == "usr-seven" else None


@sso.login_required
def account(request: Any) -> HttpResponse:
    return HttpResponse(f"Hi {request.sso_user.name}")


@sso.login_required
def deep(request: Any, rest: str) -> HttpResponse:
    return HttpResponse(f"deep {rest}")


@sso.login_required(groups=["boss", "staff"])
def staff(request: Any) -> HttpResponse:
    return HttpResponse("staff only")


@sso.login_required(groups="staff", acr="")
def one_group(request: Any) -> HttpResponse:
    return HttpResponse("one group")


@sso.login_required(max_age=300)
def fresh(request: Any) -> HttpResponse:
    return HttpResponse("fresh")


@csrf_exempt
@sso.login_required
def order(request: Any) -> HttpResponse:
    return HttpResponse("ordered")


def open_page(request: Any) -> HttpResponse:
    return HttpResponse(request.sso_user.name or "nobody")


@sso.bearer_required(scope="profile")
def api(request: Any) -> HttpResponse:
    return HttpResponse(request.sso_user.sub)


@sso.bearer_required(scope="profile", groups=["boss", "staff"])
def members(request: Any) -> HttpResponse:
    return HttpResponse(request.sso_user.sub)


@sso.bearer_required(groups="staff")
def caller(request: Any) -> HttpResponse:
    return HttpResponse(request.sso_user.sub)


@sso.login_required
def token(request: Any) -> HttpResponse:
    return HttpResponse(sso.access_token(request))


@sso.login_required
def own_user(request: Any) -> HttpResponse:
    return HttpResponse(request.user.get_username())


@csrf_exempt
def leave(request: Any) -> HttpResponse:
    return HttpResponse(str(logout(request)))


def log(request: Any) -> HttpResponse:
    return HttpResponse(sso.recent_events(1)[0].kind)


@sso.login_required
def form(request: Any) -> HttpResponse:
    return HttpResponse(sso.logout_fields(request, "site")["logout_form"])


urlpatterns = [
    path("account", account),
    path("deep/<path:rest>", deep),
    path("staff", staff),
    path("one-group", one_group),
    path("fresh", fresh),
    path("order", order),
    path("open", open_page),
    path("api/me", api),
    path("api/staff", members),
    path("api/one-group", caller),
    path("token", token),
    path("own-user", own_user),
    path("leave", leave),
    path("log", log),
    path("form", form),
    path("sso/", include("sso_client.django.urls")),
]
