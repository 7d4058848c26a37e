"""Flask as this program needs it, and nothing that it pays for on each request without using it: where Flask says that
a method may be overridden, and there only. What an answer carries is decided in `web/responses`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response, request
from flask.ctx import RequestContext
from flask.sessions import NullSession, SecureCookieSessionInterface, SessionMixin
from werkzeug.routing import Map, MapAdapter
from werkzeug.wsgi import get_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import WSGIEnvironment

Headers = tuple[tuple[str, str], ...]


def this_request() -> Request:
    """The request itself: what is read of `flask.request` is looked up anew each time, 0.4 us for each attribute."""
    return request._get_current_object()  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001


class Answer(Response):
    """A response, and headers that go out with it if nothing else has set them. 25 of 180 us a request less than
    setting each by `setdefault`."""

    unless_set: Headers = ()

    def get_wsgi_response(self, environ: WSGIEnvironment) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """As the WSGI server gets it."""
        body, status, headers = super().get_wsgi_response(environ)
        given = {name.lower() for name, _ in headers}
        headers += [header for header in self.unless_set if header[0].lower() not in given]
        return body, status, headers


class FormCookie(SecureCookieSessionInterface):
    """Flask's session, which holds the forms' token alone: unsealed only when somebody looks."""

    unread = NullSession()

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:  # type: ignore[override]
        """Nothing yet: see `_Context.session`. A null session is never written."""
        return self.unread

    def read(self, app: Flask, request: Request) -> SessionMixin | None:
        """What the cookie says."""
        return super().open_session(app, request)


class _Context(RequestContext):
    """Of one request."""

    @property
    def session(self) -> SessionMixin:
        """See `FormCookie`."""
        interface = self.app.session_interface
        if isinstance(interface, FormCookie) and self._session is interface.unread:
            self._session = interface.read(self.app, self.request)
        return super().session


class Edge(Flask):
    """Addresses don't depend on the host, views are no coroutines, and the session is read when it is looked at."""

    response_class = Answer
    session_interface = FormCookie()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """They all are."""
        return func

    def request_context(self, environ: WSGIEnvironment) -> RequestContext:
        """See `_Context`."""
        return _Context(self, environ)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the view, and knows by which name the centre was asked."""
        if request is None or "HTTP_UPGRADE" in request.environ:
            return super().create_url_adapter(request)
        of = request.environ.get
        scheme = request.scheme
        request.host, name = _names(scheme, of("HTTP_HOST"), of("SERVER_NAME"), of("SERVER_PORT"))
        path = request.path if of("PATH_INFO") else ""
        query = request.query_string.decode(errors="replace")
        return MapAdapter(self.url_map, name, request.root_path, "", scheme, path, request.method, query)


@lru_cache(maxsize=256)
def _names(scheme: str, asked: str | None, server: str | None, port: str | None) -> tuple[str, str]:
    """The host as pages show it, and as addresses are matched and made with it. Raises BadHost. A centre has few of
    them, and werkzeug takes 10 us to look at each."""
    given = {"wsgi.url_scheme": scheme, "HTTP_HOST": asked, "SERVER_NAME": server, "SERVER_PORT": port}
    host = get_host({name: value for name, value in given.items() if value is not None})
    return host, Map().bind(host).server_name
