"""The checks that hold for every answer of the centre, whatever was asked: COM-01 to COM-10 of the catalogue."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import time
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

Fields = dict[str, str]
#: RFC 6749 section 4.1.2.1, OpenID Connect Core 1.0 sections 3.1.2.6 and 5.5.1.1, RFC 8707 section 2.
AUTHORIZATION_ERRORS = {
    "invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope",
    "server_error", "temporarily_unavailable", "interaction_required", "login_required", "account_selection_required",
    "consent_required", "invalid_request_uri", "invalid_request_object", "request_not_supported",
    "request_uri_not_supported", "registration_not_supported", "unmet_authentication_requirements", "invalid_target",
}  # fmt: skip
#: RFC 6749 section 5.2, RFC 8628 section 3.5, RFC 8707 section 2, RFC 9449 sections 5 and 8.
TOKEN_ERRORS = {
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
    "invalid_scope", "authorization_pending", "slow_down", "access_denied", "expired_token", "invalid_target",
    "invalid_dpop_proof", "use_dpop_nonce",
}  # fmt: skip
#: RFC 6749 section 4.1.2.1.
_DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")
#: RFC 6749 appendices A.11, A.12 and A.17.
_VISIBLE = re.compile(r"[\x20-\x7e]+")
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
_SIGNATURES = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
#: What an ID token says of the sign-in, not of the person.
_OF_THE_SIGN_IN = {
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "sid",
    "jti",
}


def authorization(request: requests.PreparedRequest, sent: Fields, redirect_uri: str, issuer: str) -> Fields:
    """What the browser brought to the site: COM-01, COM-02 and COM-08."""
    address = urlsplit(str(request.url))
    assert address.fragment == ""
    if sent.get("response_mode") == "form_post":
        assert (request.method, request.url) == ("POST", redirect_uri)
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        pairs = parse_qsl(str(request.body), keep_blank_values=True, strict_parsing=True)
    else:
        assert (request.method, request.body) == ("GET", None)
        own = urlsplit(redirect_uri).query
        assert str(request.url).startswith(f"{redirect_uri}&" if own else f"{redirect_uri}?")
        added = address.query.removeprefix(f"{own}&")
        pairs = parse_qsl(added, keep_blank_values=True, strict_parsing=True)
    fields = dict(pairs)
    assert len(fields) == len(pairs), pairs
    assert fields.get("state") == sent.get("state")
    assert fields["iss"] == issuer
    if "error" in fields:
        assert fields["error"] in AUTHORIZATION_ERRORS, fields
        assert _DESCRIPTION.fullmatch(fields.get("error_description", ""))
    expected = {"error", "error_description", "error_uri"} if "error" in fields else {"code", "session_state"}
    assert set(fields) <= expected | {"state", "iss"}, fields
    if "code" in fields:
        assert _VISIBLE.fullmatch(fields["code"])
        assert entropy(fields["code"]) > 96
    return fields


def check_form_page(page: requests.Response, redirect_uri: str) -> None:
    """The page whose form takes the answer to the site: kept nowhere, and bound for one place (COM-02)."""
    assert page.status_code == 200
    assert "no-store" in page.headers["Cache-Control"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    policy = dict(part.strip().partition(" ")[::2] for part in page.headers["Content-Security-Policy"].split(";"))
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(redirect_uri))
    assert set(policy["form-action"].split()) <= {"'self'", origin, "https:"}
    assert "'unsafe-inline'" not in policy["script-src"]
    assert policy["frame-ancestors"] == "'none'"


def tokens(answer: requests.Response) -> dict[str, Any]:
    """A token answer: COM-03, COM-04 and COM-05."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].partition(";")[0] == "application/json"
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Pragma"] == "no-cache"
    found: dict[str, Any] = answer.json()
    assert found["token_type"].lower() == "bearer"
    assert type(found["expires_in"]) is int
    assert found["expires_in"] > 0
    for name in {"access_token", "refresh_token"} & set(found):
        assert _VISIBLE.fullmatch(found[name])
        assert entropy(found[name]) > 96
    return found


def refusal(answer: requests.Response) -> str:
    """A refused token request, in JSON that nobody keeps: its word (COM-08)."""
    assert answer.status_code in (400, 401), answer.text
    assert answer.headers["Content-Type"].partition(";")[0] == "application/json"
    assert "no-store" in answer.headers["Cache-Control"]
    found = answer.json()
    assert found["error"] in TOKEN_ERRORS, found
    assert _DESCRIPTION.fullmatch(found.get("error_description", ""))
    assert not {"access_token", "id_token", "refresh_token"} & set(found)
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"]
    return str(found["error"])


def id_token(
    token: str, keys: jwt.PyJWKSet, issuer: str, client_id: str, alg: str, nonce: str | None, access_token: str
) -> dict[str, Any]:
    """OpenID Connect Core 1.0 section 3.1.3.7: COM-06, and COM-10 for a request that asked for nothing there."""
    header = jwt.get_unverified_header(token)
    assert header["alg"] == alg
    key = keys[header["kid"]]
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=[alg], audience=client_id, issuer=issuer)
    now = time.time()
    assert claims["aud"] in (client_id, [client_id])
    assert claims.get("azp", client_id) == client_id
    assert claims["exp"] > now
    assert abs(claims["iat"] - now) < 300
    assert claims.get("nonce") == nonce
    assert 0 < len(claims["sub"]) <= 255
    assert claims["sub"].isascii()
    if "at_hash" in claims:
        digest = hashlib.new("sha512" if alg == "EdDSA" else "sha256", access_token.encode()).digest()
        half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
        assert claims["at_hash"] == half
    return claims


def nobody_described(claims: dict[str, Any]) -> None:
    """COM-10: an ID token of the code flow says nothing of the person that wasn't asked for."""
    assert set(claims) <= _OF_THE_SIGN_IN, set(claims) - _OF_THE_SIGN_IN


def keys(answer: requests.Response) -> dict[str, Any]:
    """The key set: COM-07."""
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    names = [key["kid"] for key in found["keys"]]
    assert names
    assert len(set(names)) == len(names)
    for key in found["keys"]:
        assert not _PRIVATE & set(key)
        assert key["use"] == "sig"
        assert key["alg"] in _SIGNATURES
        public = jwt.PyJWK.from_dict(key).key
        assert not isinstance(public, RSAPublicKey) or public.key_size >= 2048
    return found


def userinfo(answer: requests.Response, sub: str) -> dict[str, Any]:
    """User info of the person whom the ID token named (COM-09)."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].partition(";")[0] == "application/json"
    found: dict[str, Any] = answer.json()
    assert found["sub"] == sub
    return found


def entropy(text: str) -> float:
    """Shannon's, over the text's own characters: what the suite can measure, and the floor that it sets is 96 bits."""
    counted = Counter(text)
    return -sum(n * math.log2(n / len(text)) for n in counted.values())
