"""The SDK's routes as Django views. Each proves itself in its own way, so none needs Django's CSRF token or sign-in."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.views.decorators.csrf import csrf_exempt

from sso_client.django.connection import Connection, asking
from sso_client.django.signals import sso_signed_in
from sso_client.django.translating import may_stream, read_request, to_response
from sso_client.django.visit import visit_of
from sso_client.driving import drive
from sso_client.errors import SSOError
from sso_client.web import WebAnswer

NAMES = ("login", "callback", "logout", "backchannel-logout", "me", "tab.js", "events")


def route_view(name: str) -> Callable[..., Any]:
    """The view of one route."""
    special = {"callback": _callback, "logout": _logout}.get(name, lambda request: _answer(request, name))

    def view(request: Any) -> Any:
        return to_response(special(request), in_parts=may_stream(request))

    view.__name__ = view.__qualname__ = f"sso_{name.replace('-', '_')}"
    view.is_sso_route = True  # type: ignore[attr-defined]  # the middleware looks nobody up for these
    guarded: Callable[..., Any] = csrf_exempt(login_not_required(view))
    return guarded


def _answer(request: Any, name: str) -> WebAnswer:
    connection: Connection = visit_of(request).connection
    return drive(connection.routes.answer(name, read_request(request, with_body=True)))


def _callback(request: Any) -> WebAnswer:
    """The browser is back with a ticket; who signs in, signs in to Django as well."""
    visit, asked = visit_of(request), asking.set(request)
    try:
        answer = _answer(request, "callback")
        if visit.take(answer):
            sso_signed_in.send(sender=Connection, request=request, user=request.sso_user, account=request.user)
    finally:
        asking.reset(asked)
    return answer


def _logout(request: Any) -> WebAnswer:
    """Who signs out here, signs out of Django as well."""
    visit = visit_of(request)
    if request.method == "POST":
        with suppress(SSOError):
            _ = visit.account  # whom `user_logged_out` names: afterwards nobody knows any more
    answer = _answer(request, "logout")
    if answer.cookies and visit.gone_cookie() in answer.cookies and visit.is_bound():
        visit.end_django_session()
    return answer
