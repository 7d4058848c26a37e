"""A site on the client's verbs, behind a view of Django's.

It shows that the pytest plugin needs a site's addresses only: three routes and a page.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from sso_client import SSOClient, SSOError, load_settings, open_sqlite_store

Answer = tuple[int, list[tuple[str, str]], str]


class VerbSite:
    """Made from the environment, as sites are."""

    def __init__(self) -> None:
        settings = load_settings({})
        path = str(settings.store).removeprefix("sqlite:///")
        store = open_sqlite_store(path, issuer=settings.issuer, client_id=settings.client_id)
        self.client = SSOClient(settings, store)

    def answer(
        self, method: str, path: str, query: str, cookies: Mapping[str, str], kind: str = "", body: bytes = b""
    ) -> Answer:
        """One request, answered."""
        try:
            if (method, path) == ("POST", "/sso/backchannel-logout"):
                done = self.client.receive_logout(body, kind)
                return done.status, list(done.headers.items()), done.body
            if path == "/sso/login":
                url, attempt = self.client.login_url(parse_qs(query).get("next", ["/"])[0])
                return 302, [("Location", url), _cookie("attempt", self.client.seal.seal_attempt(attempt))], ""
            if path == "/sso/callback":
                attempt_then = self.client.seal.unseal_attempt(cookies.get("attempt", ""), self.client.now_ms())
                if attempt_then is None:
                    return 400, [], "state_unknown"
                ticket = self.client.read_answer(parse_qs(query), attempt_then)
                cookie, _ = self.client.open_session(self.client.validate_ticket(ticket, attempt_then))
                return 302, [("Location", attempt_then.next), _cookie("session", cookie)], ""
            session = self.client.find_session(cookies.get("session"))
        except SSOError as error:
            return error.status, [], error.code
        if session is None:
            return 302, [("Location", f"/sso/login?next={path}")], ""
        return 200, [("Content-Type", "text/plain; charset=utf-8")], f"Hi {session.user.name}"


def _cookie(name: str, value: str) -> tuple[str, str]:
    return "Set-Cookie", f"{name}={value}; HttpOnly; Path=/; SameSite=Lax"


def django_view(*, exempt: bool = True) -> Any:
    """Everything in one view; `exempt` from the check for forged requests, as the logout route must be."""
    from django.http import HttpRequest, HttpResponse
    from django.views.decorators.csrf import csrf_exempt

    site = VerbSite()

    def everything(request: HttpRequest) -> HttpResponse:
        query = request.META["QUERY_STRING"]
        kind = request.META.get("CONTENT_TYPE", "")
        status, headers, text = site.answer(
            request.method, request.path, query, request.COOKIES, kind, bytes(request.body)
        )
        response = HttpResponse(text, status=status)
        for name, value in headers:
            if name == "Set-Cookie":
                key, _, rest = value.partition("=")
                response.set_cookie(key, rest.partition(";")[0], httponly=True)
            else:
                response.headers[name] = value
        return response

    return csrf_exempt(everything) if exempt else everything
