"""Flask as this program needs it, and nothing that it pays for on each request without using it: where Flask says that
a method may be overridden, and there only. What an answer carries is decided in `web/responses`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from flask import Flask, Request, Response, request
from flask.sessions import NullSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import URLSafeTimedSerializer
from werkzeug.datastructures import ImmutableMultiDict, MultiDict
from werkzeug.exceptions import ClientDisconnected
from werkzeug.routing import Map, MapAdapter
from werkzeug.sansio.http import parse_cookie
from werkzeug.utils import cached_property
from werkzeug.wsgi import get_host

from sso_server.web.dispatch import DirectContext, Dispatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import WSGIEnvironment

Headers = tuple[tuple[str, str], ...]
_FORM = "application/x-www-form-urlencoded"
_TYPES = frozenset({_FORM, "application/json"})
_NO_FILES = ImmutableMultiDict[str, Any]()
#: bytes: what is read in one piece; the endpoints' own limits are lower (`web/params`)
_LARGEST = 256 * 1024
#: Addresses that werkzeug would send as they are; else it escapes, and writes hosts in lower case.
_OF = "A-Za-z0-9._~:/@!$&'()*+,;=%-"
_PLAIN = re.compile(
    rf"(?:[a-z]+://[a-z0-9-]+(?:[.][a-z0-9-]+)*(?::[1-5]?[1-9][0-9]{{0,3}})?)?(?:/(?!/)[{_OF}]*)?(?:\?[?{_OF}]+)?(?:#[?{_OF}]+)?"
)


def this_request() -> Request:
    """The request itself: what is read of `flask.request` is looked up anew each time, 0.4 us for each attribute."""
    return request._get_current_object()  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001


class Answer(Response):
    """A response, and headers that are added when it goes out. 40 of 180 us a request less than setting each by
    `setdefault`, and having werkzeug look at it all once more."""

    more: Callable[[Mapping[str, str]], Headers] | None = None
    """Called with the headers that it has, their names in lower case."""

    def get_wsgi_response(self, environ: WSGIEnvironment) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """As the WSGI server gets it."""
        headers = list(self.headers)
        given = {name.lower(): value for name, value in headers}
        if self._is_ready(environ, given):
            body, status = cast("list[bytes]", self.response), self.status
        else:
            body, status, headers = super().get_wsgi_response(environ)  # type: ignore[assignment]
        if self.more is not None:
            headers += self.more(given)
        return body, status, headers

    def _is_ready(self, environ: WSGIEnvironment, given: Mapping[str, str]) -> bool:
        """Whether werkzeug would send it as it is: a body of known length in one piece, for a status that has one, and
        an address that needs no escapes."""
        status, body = self.status_code, self.response
        return (
            type(body) is list
            and len(body) == 1
            and type(body[0]) is bytes
            and (200 <= status < 300 or status == 303 or status >= 400)
            and status != 204
            and environ["REQUEST_METHOD"] != "HEAD"
            and "content-length" in given
            and "content-location" not in given
            and ("location" not in given or _PLAIN.fullmatch(given["location"]) is not None)
            and not self._on_close
        )


class Asked(Request):
    """A request whose usual parameters, a query and a short form, are read without the machinery for files. What they
    mean to werkzeug they mean here."""

    @property
    def mimetype(self) -> str:
        """Of the body, in lower case and without parameters."""
        said = self.environ.get("CONTENT_TYPE", "")
        return said if said in _TYPES else super().mimetype

    @property
    def blueprints(self) -> list[str]:
        """Flask asks three times a request; ours aren't nested."""
        name = self.blueprint
        return [] if name is None else [name]

    def close(self) -> None:
        """Nothing to be closed where there are no files."""
        if self.__dict__.get("files"):
            super().close()

    @cached_property
    def args(self) -> MultiDict[str, str]:
        """The query's parameters."""
        return ImmutableMultiDict(_pairs(self.query_string))

    @cached_property
    def cookies(self) -> ImmutableMultiDict[str, str]:
        """All of them. werkzeug looks through all headers for those that are called so; WSGI joins them into one."""
        return parse_cookie(self.environ.get("HTTP_COOKIE", ""), cls=ImmutableMultiDict)  # type: ignore[return-value]

    def _load_form_data(self) -> None:
        # Of 45 us for a form of three fields werkzeug needs 30 to find out that no file is in it.
        found, environ = self.__dict__, self.environ
        length = environ.get("CONTENT_LENGTH", "")
        usual = environ.get("CONTENT_TYPE") == _FORM and "HTTP_TRANSFER_ENCODING" not in environ
        if not usual or "form" in found or "stream" in found or not (length.isascii() and length.isdigit()):
            return super()._load_form_data()
        size, most = int(length), self.max_content_length
        if size > (_LARGEST if most is None else min(_LARGEST, most)):
            return super()._load_form_data()
        try:
            body = environ["wsgi.input"].read(size)
        except (OSError, ValueError) as error:
            raise ClientDisconnected from error
        if len(body) != size:
            raise ClientDisconnected
        try:
            pairs = _pairs(body)
        except UnicodeDecodeError:
            pairs = []
        found["stream"], found["form"], found["files"] = BytesIO(), ImmutableMultiDict(pairs), _NO_FILES
        return None


def _pairs(text: bytes) -> list[tuple[str, str]]:
    """What stands in `a=1&b=2` (WHATWG URL section 5.1), empty values too. Raises UnicodeDecodeError."""
    if not text:
        return []
    parts = [part.partition("=") for part in text.decode().replace("+", " ").split("&") if part]
    return [(_unquoted(name), _unquoted(value)) for name, _, value in parts]


def _unquoted(text: str) -> str:
    # Bytes that aren't UTF-8 stay as they were sent, as in all of werkzeug.
    return unquote(text, errors="werkzeug.url_quote") if "%" in text else text


class FormCookie(SecureCookieSessionInterface):
    """Flask's session, which holds the forms' token alone: unsealed only when somebody looks."""

    unread = NullSession()

    def __init__(self) -> None:
        self._serializers = WeakKeyDictionary[Flask, URLSafeTimedSerializer | None]()

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:  # type: ignore[override]
        """Nothing yet: see `_Context.session`. A null session is never written."""
        return self.unread

    def read(self, app: Flask, request: Request) -> SessionMixin | None:
        """What the cookie says."""
        return super().open_session(app, request)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Made once for each app."""
        if app not in self._serializers:
            self._serializers[app] = super().get_signing_serializer(app)
        return self._serializers[app]


class _Context(DirectContext):
    """Of one request."""

    @property
    def session(self) -> SessionMixin:
        """See `FormCookie`."""
        interface = self.app.session_interface
        if isinstance(interface, FormCookie) and self._session is interface.unread:
            self._session = interface.read(self.app, self.request)
        return super().session


class Edge(Dispatch):
    """Addresses don't depend on the host, views are no coroutines, and the session is read when it is looked at."""

    request_class = Asked
    response_class = Answer
    session_interface = FormCookie()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """They all are."""
        return func

    def request_context(self, environ: WSGIEnvironment) -> DirectContext:
        """See `_Context`."""
        return _Context(self, environ)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the view, and knows by which name the centre was asked."""
        if request is None:
            # Of an app context; SERVER_NAME, which is all that Flask would look at, is never set.
            return None
        if "HTTP_UPGRADE" in request.environ:
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
