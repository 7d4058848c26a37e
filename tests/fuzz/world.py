"""A centre with people, sites and secrets that nobody may ever see again, and what must hold of each of its answers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from flask import Flask
from werkzeug.test import TestResponse

from sso_server.fronts.oidc.openapi_fields import METADATA
from tests.support.oidc_site import ISSUER, PASSWORD, OidcSite

#: So many requests in all; `make fuzz` asks for 100,000.
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "1000"))
MARKUP = '"><svg onload=alert(1)>'
EVIL = "https://evil.example"
#: What is given back as it was sent: by the standards, in a form to be typed anew, on a developer's own machine, and in
#: what is wrong with a registration.
ECHOED = (*METADATA, "state", "nonce", "login_hint", "username", "redirect_uri", "service", "targetService", "pgtUrl")


@dataclass
class World:
    """The app, and what of it is secret."""

    app: Flask
    site: OidcSite
    secrets: tuple[str, ...]
    code: str
    access_token: str
    statuses: dict[int, int] = field(default_factory=dict)

    def hold(self, answer: TestResponse, sent: Iterable[tuple[str, str]] = ()) -> None:
        """Everything that must be so, whatever was asked. `sent`: what the request carried, by name."""
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        # The choice of language leads to the address that the browser shows already.
        text = re.sub(r' href="\?[^"]*"', "", answer.get_data(as_text=True))
        assert answer.status_code < 500, f"{answer.status_code}: {text[:500]}"
        allowed = {str(value) for name, value in sent if name in ECHOED}
        place = answer.headers.get("Location", "")
        # A posted request comes back to its own browser as the address of the same request.
        elsewhere = not place.startswith(("/authorize?", "/end-session?", "/cas/login?"))
        for secret in set(self.secrets) - allowed if elsewhere else ():
            assert secret not in unescape(text), f"{secret} comes back in {text[-3000:]}"
            assert secret not in unquote(place), f"{secret} comes back in {place}"
        assert MARKUP not in text or answer.mimetype not in ("text/html", "application/xml"), text[:500]
        assert "Traceback" not in text
        if place:
            self._leads_home(place)
        if answer.mimetype == "text/html":
            assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
            for target in re.findall(r'<form[^>]* action="([^"]*)"', text):
                self._leads_home(unescape(target))

    def _leads_home(self, place: str) -> None:
        """RFC 9700 section 4.11: no address leads to anybody who isn't registered."""
        parts = urlsplit(place)
        if parts.scheme or parts.netloc or place.startswith(("//", "/\\", "\\")):
            known = (f"{ISSUER}/", "https://wiki.example.com/", "https://spa.example.com/", "https://shop.example.com/")
            assert place.startswith(known) or place == ISSUER, place
        # An error goes with no code, and a code with no error.
        fields = parse_qs(parts.query)
        assert not {"code", "error"} <= set(fields), place


def a_world(app: Flask, site: OidcSite, secret: str) -> World:
    """With alice signed in once, so that there are tokens, a cookie and a spent code to be found or lost."""
    browser = app.test_client()
    code = site.code(browser)
    tokens: dict[str, Any] = site.redeem(code).get_json()
    cookie = browser.get_cookie("lockstep_session").value  # type: ignore[union-attr]
    secrets = (PASSWORD, secret, cookie, str(tokens["access_token"]), str(tokens.get("refresh_token", "")))
    return World(app, site, tuple(one for one in secrets if one), code, tokens["access_token"])
