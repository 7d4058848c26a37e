"""A browser without a screen: keeps cookies per host, follows redirects, fills in forms. `*.localhost` is loopback
(RFC 6761).
"""

from __future__ import annotations

import socket
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.util.connection

_create_connection = urllib3.util.connection.create_connection


def _localhost_connection(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
    host, port = address
    return _create_connection(("127.0.0.1" if host.endswith(".localhost") else host, port), *args, **kwargs)


urllib3.util.connection.create_connection = _localhost_connection  # type: ignore[assignment]


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(
                {"action": got.get("action", ""), "method": got.get("method", "get").lower(), "fields": {}}
            )
        elif self.forms and tag in ("input", "button") and got.get("name"):
            kind = got.get("type", "text")
            if kind in ("checkbox", "radio") and "checked" not in got:
                return
            if tag == "input" or kind == "submit":
                self.forms[-1]["fields"].setdefault(got["name"], got.get("value", ""))


class Browser:
    """One person's browser."""

    def __init__(
        self, *, language: str = "en", user_agent: str = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
    ) -> None:
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers.update(
            {"Accept": "text/html,application/xhtml+xml", "Accept-Language": language, "User-Agent": user_agent}
        )
        self.page: requests.Response = requests.Response()

    @property
    def text(self) -> str:
        """The page's HTML."""
        return self.page.text

    @property
    def url(self) -> str:
        """Where the browser is now."""
        return self.page.url

    @property
    def hosts(self) -> list[str]:
        """The hosts it went through to come here, redirects first."""
        return [urlsplit(r.url).netloc for r in (*self.page.history, self.page)]

    def open(self, url: str, **kwargs: Any) -> Browser:
        """GET, following redirects."""
        self.page = self.http.get(url, timeout=15, **kwargs)
        return self

    def forms(self) -> list[dict[str, Any]]:
        """The page's forms."""
        parser = _Forms()
        parser.feed(self.text)
        return parser.forms

    def submit(self, _action: str = "", **fields: str) -> Browser:
        """Send the first form whose action contains `_action` and that has all the named fields."""
        for form in self.forms():
            target = urljoin(self.url, form["action"] or self.url)
            if _action in target and (form["method"] == "post"):
                data = {**form["fields"], **fields}
                origin = "{0.scheme}://{0.netloc}".format(urlsplit(self.url))
                self.page = self.http.post(
                    target, data=data, headers={"Origin": origin, "Referer": self.url}, timeout=15
                )
                return self
        raise AssertionError(f"no form for {_action!r} on {self.url}: {self.text[:500]}")

    def sign_in(self, username: str, password: str, **fields: str) -> Browser:
        """Fill in the sign-in page."""
        return self.submit("/sign-in", username=username, password=password, **fields)
