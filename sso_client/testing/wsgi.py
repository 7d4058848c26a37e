"""A browser for plain WSGI applications, where no framework brings a test client: cookies, GET, POST, no redirects."""

import io
from collections.abc import Iterable, Mapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode, urlsplit
from wsgiref.types import WSGIApplication
from wsgiref.util import setup_testing_defaults

from sso_client.testing.page import Page


class WsgiClient:
    """A browser at one WSGI application.

    >>> WsgiClient(app).get("/").status  # doctest: +SKIP
    200
    """

    def __init__(self, app: WSGIApplication, *, base_url: str = "http://localhost") -> None:
        self.wsgi_app = app
        self.base_url = base_url
        self.cookies: dict[str, str] = {}

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Page:
        """GET a path of the site, with the cookies that it has set."""
        return self.request("GET", path, headers=headers)

    def post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Page:
        """POST a form."""
        told = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self.request("POST", path, urlencode(form).encode(), told)

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        cookies: bool = True,
    ) -> Page:
        """Any request; without `cookies` it is another's, who brings none and keeps none."""
        environ = self._environ(method, path, body)
        for name, value in (headers or {}).items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        if cookies and self.cookies:
            environ["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        started: list[tuple[int, list[tuple[str, str]]]] = []

        def start_response(status: str, answered: list[tuple[str, str]], exc_info: Any = None) -> Any:  # noqa: ARG001  # PEP 3333's own
            started.append((int(status.split(" ", 1)[0]), answered))
            return lambda _data: None

        parts: Iterable[bytes] = self.wsgi_app(environ, start_response)
        try:
            text = b"".join(parts).decode(errors="replace")
        finally:
            getattr(parts, "close", lambda: None)()
        status, answered = started[-1]
        if cookies:
            self._keep(answered)
        return Page(status, tuple(answered), text)

    def _environ(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        base, asked = urlsplit(self.base_url), urlsplit(path)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(asked.path).decode("latin-1"),
            "QUERY_STRING": asked.query,
            "wsgi.url_scheme": base.scheme,
            "SERVER_NAME": base.hostname or "localhost",
            "SERVER_PORT": str(base.port or (443 if base.scheme == "https" else 80)),
            "HTTP_HOST": base.netloc,
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        setup_testing_defaults(environ)
        return environ

    def _keep(self, headers: Iterable[tuple[str, str]]) -> None:
        for name, value in headers:
            if name.lower() == "set-cookie":
                for key, morsel in SimpleCookie(value).items():
                    if morsel["max-age"] == "0" or not morsel.value:
                        self.cookies.pop(key, None)
                    else:
                        self.cookies[key] = morsel.value
