"""Software that registers itself at the centre, over Flask's test client."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.oidc_site import OidcSite, built_of

CALLBACK = "https://rp.example/cb"


def bearer(token: str) -> dict[str, str]:
    """The Authorization header."""
    return {"Authorization": f"Bearer {token}"}


@dataclass(frozen=True)
class RegisteredSite(OidcSite):
    """A client with the one address that it registered."""

    address: str = CALLBACK

    @property
    def redirect_uri(self) -> str:
        return self.address


@dataclass
class Software:
    """It has an initial access token, and after `register` a registration."""

    app: Flask
    initial: str = ""
    said: dict[str, Any] = field(default_factory=dict)
    """The last answer that held a registration, and the secret of an earlier one."""

    @classmethod
    def at(cls, app: Flask, name: str = "ci", **policy: Any) -> Software:
        """With a token of this name."""
        _, text = built_of(app).services.registrations.add_token(name, **policy)
        return cls(app, text)

    def post(self, members: Any = None, token: str | None = None, **more: Any) -> TestResponse:
        """POST /register: these members and a redirect URI, unless they say otherwise."""
        body = {"redirect_uris": [CALLBACK]} | (members or {}) | more
        sent = self.initial if token is None else token
        return self._call("POST", "/register", sent, body)

    def register(self, members: Any = None, **more: Any) -> RegisteredSite:
        """Registered, whatever it takes."""
        answer = self.post(members, **more)
        assert answer.status_code == 201, answer.text
        self.said = answer.get_json()
        return self.site

    @property
    def site(self) -> RegisteredSite:
        """As browsers see it."""
        address = next(iter(self.said["redirect_uris"]), "")
        return RegisteredSite(self.app, self.said["client_id"], self.said.get("client_secret", ""), address)

    @property
    def path(self) -> str:
        """Where it is managed."""
        return f"/register/{self.said['client_id']}"

    def manage(self, method: str, token: str | None = None, **members: Any) -> TestResponse:
        """GET, PUT or DELETE of the registration."""
        sent = self.said["registration_access_token"] if token is None else token
        body = {"client_id": self.said["client_id"], "redirect_uris": self.said["redirect_uris"]} | members
        return self._call(method, self.path, sent, body if method == "PUT" else None)

    def _call(self, method: str, path: str, token: str, body: Any) -> TestResponse:
        headers = bearer(token) if token else {}
        calls = self.app.test_client(use_cookies=False)
        return calls.open(path, method=method, headers=headers, **({} if body is None else {"json": body}))
