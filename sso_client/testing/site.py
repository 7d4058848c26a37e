"""The site under test, as its framework's own test client shows it: a page asked for, a logout call delivered.

Clients are told apart by what they have, so that no framework is imported that the site doesn't use.
"""

import copy
import http.client
from collections.abc import Callable
from http.cookies import SimpleCookie
from inspect import iscoroutinefunction
from typing import Any, Protocol
from urllib.parse import urlsplit

from sso_client.testing.page import LogoutNotDone, Page
from sso_client.testing.wsgi import WsgiClient

FORM = "application/x-www-form-urlencoded"


class Site(Protocol):
    """What a test client must be able to do."""

    def open(self, path: str) -> Page:
        """GET as the browser would, with its cookies, following nothing."""

    def call(self, path: str, body: bytes) -> Page:
        """POST a form as the centre would: without a cookie, so that nobody's session opens the door."""


def site_of(client: Any) -> Site:
    """The site behind a test client. Raises TypeError if it is none that is known."""
    for knows, site in _KINDS:
        if knows(client):
            return site(client)
    raise TypeError(
        f"{type(client).__module__}.{type(client).__qualname__} is no test client that is known: pass Flask's or "
        "Werkzeug's, django.test.Client, a TestClient of Starlette or FastAPI, or sso_client.testing.WsgiClient(app)"
    )


class _Werkzeug:
    """`app.test_client()` of Flask, `werkzeug.test.Client(app)`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def open(self, path: str) -> Page:
        return self._page(self._client.open(path, method="GET"))

    def call(self, path: str, body: bytes) -> Page:
        app = self._client.application
        make = getattr(app, "test_client", None)
        stranger = make(use_cookies=False) if make else type(self._client)(app, use_cookies=False)
        return self._page(stranger.open(path, method="POST", data=body, content_type=FORM))

    @staticmethod
    def _page(response: Any) -> Page:
        with response:
            return Page(response.status_code, tuple(response.headers.items()), response.get_data(as_text=True))


class _Django:
    """`django.test.Client()`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def open(self, path: str) -> Page:
        return self._page(self._client.generic("GET", path))

    def call(self, path: str, body: bytes) -> Page:
        stranger = copy.copy(self._client)
        stranger.cookies = SimpleCookie()
        # Django's client switches the check off; a site that forgot to exempt the call must hear of it here.
        stranger.handler = copy.copy(self._client.handler)
        stranger.handler.enforce_csrf_checks = True
        return self._page(stranger.generic("POST", path, body, content_type=FORM))

    @staticmethod
    def _page(response: Any) -> Page:
        body: bytes = response.getvalue()
        return Page(response.status_code, tuple(response.headers.items()), body.decode(errors="replace"))


class _Starlette:
    """`TestClient(app)` of Starlette and FastAPI."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def open(self, path: str) -> Page:
        return self._page(self._client.request("GET", path, follow_redirects=False))

    def call(self, path: str, body: bytes) -> Page:
        stranger = copy.copy(self._client)  # the same portal: a site's own event loop goes on
        stranger.cookies = {}
        told = {"Content-Type": FORM}
        return self._page(stranger.request("POST", path, content=body, headers=told, follow_redirects=False))

    @staticmethod
    def _page(response: Any) -> Page:
        return Page(response.status_code, tuple(response.headers.multi_items()), response.text)


class _Wsgi:
    """`sso_client.testing.WsgiClient(app)`."""

    def __init__(self, client: WsgiClient) -> None:
        self._client = client

    def open(self, path: str) -> Page:
        return self._client.get(path)

    def call(self, path: str, body: bytes) -> Page:
        return self._client.request("POST", path, body, {"Content-Type": FORM}, cookies=False)


class RunningSite:
    """A site that runs on a socket: the centre's calls go there. Its pages are a real browser's affair."""

    def __init__(self, base_url: str) -> None:
        self._parts = urlsplit(base_url)

    def open(self, path: str) -> Page:
        raise TypeError(f"{self._parts.geturl()} runs on a socket: open {path} with a browser of your own")

    def call(self, path: str, body: bytes) -> Page:
        """Raises LogoutNotDone if nobody answers within 5 s."""
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=5)
        try:
            connection.request("POST", path, body, {"Content-Type": FORM})
            answer = connection.getresponse()
            return Page(answer.status, tuple(answer.getheaders()), answer.read().decode(errors="replace"))
        except OSError as error:
            raise LogoutNotDone(f"nobody answers at {self._parts.geturl()}{path}: {error}") from error
        finally:
            connection.close()


def _has(*names: str) -> Callable[[Any], bool]:
    return lambda client: all(hasattr(client, name) for name in names)


def _is_django(client: Any) -> bool:
    return _has("handler", "generic", "cookies")(client) and not iscoroutinefunction(client.request)


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Site]], ...] = (
    (lambda client: isinstance(client, str), RunningSite),
    (lambda client: isinstance(client, WsgiClient), _Wsgi),
    (_has("application", "open"), _Werkzeug),
    (_is_django, _Django),
    (_has("app", "base_url", "portal", "request"), _Starlette),
)
