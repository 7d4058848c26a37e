"""SSOMiddleware: every request gets its visit, and plain `@login_required`, permissions and the admin work with it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings as django_settings
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.cache import patch_vary_headers

from sso_client.django.connection import get_connection
from sso_client.django.translating import set_cookie, to_response
from sso_client.django.visit import Visit, visit_of
from sso_client.driving import drive
from sso_client.errors import SSOError
from sso_client.web import redirect

_GUARDS_ALL = "django.contrib.auth.middleware.LoginRequiredMiddleware"


class SSOMiddleware:
    """`MIDDLEWARE += ["sso_client.django.SSOMiddleware"]`, after AuthenticationMiddleware. For WSGI and ASGI.

    Raises SettingsError and SSOError `store_...` when the server starts; the centre itself may be down.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._connection = get_connection()
        self._guards_all = _GUARDS_ALL in django_settings.MIDDLEWARE
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        request.sso_visit = visit = Visit(self._connection, request)
        visit.attach()
        if self._is_async:
            return self._answer_later(visit, request)
        return self._finish(visit, self._get_response(request))

    async def _answer_later(self, visit: Visit, request: Any) -> Any:
        response = await self._get_response(request)
        if response.status_code in (302, 500) or visit.is_over:  # that may need the store
            return await sync_to_async(self._finish)(visit, response)
        return self._finish(visit, response)

    def process_view(self, request: Any, view: Any, _args: Any, _kwargs: Any) -> Any:
        """Before the view, in a thread if there is an event loop: all that waits for a store happens here."""
        if getattr(view, "is_sso_route", False):
            return None
        visit = visit_of(request)
        visit.settle()
        try:
            if self._guards_all and getattr(view, "login_required", True):
                _ = visit.session  # Django makes no page of what its own guard meets
        except SSOError as error:
            return self.process_exception(request, error)
        if self._is_async:
            with suppress(SSOError):
                _ = visit.account  # so that an async view's `request.user` needs no database
        return self._answer_admin(visit, request, view) if self._connection.options.admin else None

    def process_exception(self, request: Any, exception: Exception) -> Any:
        """A page, or JSON for programs: the SDK's errors carry their status and words."""
        if not isinstance(exception, SSOError):
            return None
        visit = visit_of(request)
        return to_response(visit.connection.site.show_error(visit.web, exception))

    def _finish(self, visit: Visit, response: Any) -> Any:
        answer = self._translated(visit, response)
        if visit.is_over:
            set_cookie(answer, visit.gone_cookie())
        return answer

    def _translated(self, visit: Visit, response: Any) -> Any:
        """The response, or what it means where single sign-on is meant."""
        if getattr(response, "from_sso", False):
            return response
        if response.status_code == 500 and visit.raised is not None:
            # Something of the site's own before the view (a guard in a middleware, an error page) asked who this is.
            return self.process_exception(visit.request, visit.raised)
        if response.status_code == 302 and self._is_sent_to_sign_in(visit, response.headers.get("Location", "")):
            return self._answer_guard(visit)
        if visit.is_personal:
            # After signing out, neither a cache nor the back button shows it.
            response.headers.setdefault("Cache-Control", "no-store")
            patch_vary_headers(response, ("Cookie",))
        return response

    def _is_sent_to_sign_in(self, visit: Visit, location: str) -> bool:
        """True if a guard of Django's, `login_required` or another, sends this very page's visitor to our login."""
        target, request = urlsplit(location), visit.request
        if target.path != visit.connection.site.route_url(visit.web, "login"):
            return False
        query = parse_qs(target.query)
        # Whoever asks for a stronger sign-in knows what it does.
        return not {"max_age", "acr"} & set(query) and query.get("next", [""])[0] in (
            request.get_full_path(),
            request.build_absolute_uri(),
        )

    def _answer_guard(self, visit: Visit) -> Any:
        """A redirect for browsers, JSON for programs, a page where something was sent; 403 for who is signed in."""
        try:
            if visit.session is None:
                return to_response(drive(visit.connection.site.ask_to_sign_in(visit.web)))
            # Signing in once more would change nothing: the two redirects would go on for ever.
            raise SSOError(*_lacking(visit))
        except SSOError as error:
            return self.process_exception(visit.request, error)

    def _answer_admin(self, visit: Visit, request: Any, view: Any) -> Any:
        """The admin's own sign-in form and sign-out are the centre's affair; None for every other page."""
        match = request.resolver_match
        if match.app_names[-1:] != ["admin"] or match.url_name not in ("login", "logout"):
            return None
        index, site = reverse(f"{match.namespace}:index"), visit.connection.site
        if match.url_name == "logout":  # our page asks what to sign out of; then the centre's shows what became of it
            if request.method != "POST":
                return None
            return to_response(redirect(site.route_url(visit.web, "logout", {"next": index}), 303))
        try:
            if visit.session is None:
                if request.method not in ("GET", "HEAD") or site.wants_json(visit.web):
                    return to_response(drive(site.ask_to_sign_in(visit.web)))
                page = drive(site.fitting_next(visit.web, request.GET.get("next") or index))
                return to_response(redirect(site.login_url(visit.web, page)))
            allows = getattr(getattr(view, "__self__", None), "has_permission", None)  # the AdminSite's own rule
            may = allows(request) if callable(allows) else request.user.is_staff
            if not may:
                raise SSOError(*_lacking(visit))
        except SSOError as error:
            return self.process_exception(request, error)
        return HttpResponseRedirect(index)


def _lacking(visit: Visit) -> tuple[str, str]:
    if visit.account is None:
        return "account_refused", "the account of this session is gone or not active"
    return "group_required", f"a permission of this site's own, for account {visit.account.pk}"
