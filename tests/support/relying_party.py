"""An OpenID Connect site without our SDK, written by hand: code flow with PKCE, and the checks a receiver of logout
tokens must make.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import requests

from tests.support.browser import Browser

EVENT = "http://schemas.openid.net/event/backchannel-logout"


class RelyingParty:
    """One registered client."""

    def __init__(self, issuer: str, client_id: str, secret: str, redirect_uri: str) -> None:
        self.issuer, self.client_id, self.secret, self.redirect_uri = issuer, client_id, secret, redirect_uri
        self.sid = ""
        self.tokens: dict[str, Any] = {}

    def authorize_url(self, verifier: str, state: str = "s", **more: str) -> str:
        """Where the browser is sent."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile",
            "state": state,
            "nonce": "n-" + state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **more,
        }
        return f"{self.issuer}/authorize?{urlencode(query)}"

    def redeem(self, code: str, verifier: str) -> requests.Response:
        """Server to server."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
        }
        return requests.post(self.issuer + "/token", data=form, auth=(self.client_id, self.secret), timeout=10)

    def sign_in_silently(self, browser: Browser, **more: str) -> dict[str, Any]:
        """A session exists: a ticket comes back without a question. The claims of the ID token."""
        verifier = secrets.token_urlsafe(40)
        answer = browser.http.get(self.authorize_url(verifier, **more), allow_redirects=False, timeout=10)
        query = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert "code" in query, answer.headers["Location"]
        assert query["iss"] == [self.issuer]
        redeemed = self.redeem(query["code"][0], verifier)
        assert redeemed.status_code == 200, redeemed.text
        self.tokens = redeemed.json()
        claims = self.verify(self.tokens["id_token"])
        self.sid = claims["sid"]
        return claims

    def verify(self, token: str) -> dict[str, Any]:
        """Signature, issuer and audience of a JWT from the centre."""
        keys = jwt.PyJWKSet.from_dict(requests.get(self.issuer + "/jwks.json", timeout=10).json())
        key = keys[jwt.get_unverified_header(token)["kid"]]
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=["ES256", "RS256", "EdDSA"], audience=self.client_id, issuer=self.issuer
        )
        return claims

    def verify_logout_token(self, body: str) -> dict[str, Any]:
        """OpenID Connect Back-Channel Logout 1.0 section 2.6."""
        form = parse_qs(body, strict_parsing=True)
        assert list(form) == ["logout_token"]
        token = form["logout_token"][0]
        assert jwt.get_unverified_header(token)["typ"] == "logout+jwt"
        claims = self.verify(token)
        assert claims["events"] == {EVENT: {}}
        assert "nonce" not in claims
        assert claims["exp"] - claims["iat"] <= 120
        return claims
