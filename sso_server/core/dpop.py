"""Demonstrating proof of possession (RFC 9449): what a proof must say, once, and the nonces that a centre may ask for.

Header and signature are `ports.ProofKeys`'. Where proofs travel, and what an answer says, is `web/dpop`'s.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import unquote, urlsplit

from sso_server.core.client_metadata import FAPI2
from sso_server.core.clients import Client
from sso_server.core.errors import LockstepError
from sso_server.core.identifiers import digest
from sso_server.core.policy import SECOND
from sso_server.core.ports import Clock, ProofKeys, Seals, SlipStore

#: RFC 9449 section 5.1, `dpop_signing_alg_values_supported`: those of FAPI 2.0.
ALGORITHMS = ("ES256", "PS256", "EdDSA")
#: How old a proof may be, and how far its maker's clock ahead (section 11.1); a nonce is good for as long.
LIFE_S = 300
AHEAD_S = 60
_NONCE = "dpop-nonce"
_PORTS = {"http": 80, "https": 443}


class InvalidProof(LockstepError):
    """A proof is missing, malformed, of another request, too old, or was seen before (section 5)."""

    code = "invalid_dpop_proof"


def needs_proof(client: Client) -> bool:
    """Whether its tokens are always bound to a key (section 5.2; FAPI 2.0 section 5.3.2.1, item 5)."""
    return client.metadata.dpop_bound_access_tokens or client.metadata.profile == FAPI2


class DpopProofs:
    """Checks proofs, each good once."""

    def __init__(self, keys: ProofKeys, slips: SlipStore, seals: Seals, clock: Clock, *, asks_nonce: bool) -> None:
        self._keys = keys
        self._slips = slips
        self._seals = seals
        self._clock = clock
        self._asks_nonce = asks_nonce

    def check(self, proof: str, *, method: str, url: str, token: str = "", jkt: str = "") -> str:
        """The thumbprint of the key that has proven itself for this request; with `token`, beside this access token,
        and then it must be `jkt`. Section 4.3, one line per check. Raises InvalidProof, Unavailable."""
        read = self._keys.read(proof, algs=ALGORITHMS)
        if read is None:
            raise InvalidProof("The DPoP proof is not a signed proof with a public key of a kind that we take.")
        claims, thumbprint = read
        jti = claims.get("jti")
        if not isinstance(jti, str) or not jti:
            raise InvalidProof("The DPoP proof has no jti.")
        if claims.get("htm") != method:
            raise InvalidProof("The DPoP proof is for another method.")
        if not is_target(claims.get("htu"), url):
            raise InvalidProof("The DPoP proof is for another address.")
        self._check_time(claims)
        if token and not _is_hash_of(claims.get("ath"), token):
            raise InvalidProof("The DPoP proof is for another access token.")
        if token and not hmac.compare_digest(thumbprint, jkt):
            raise InvalidProof("The DPoP proof is of another key than the access token.")
        # Section 11.1: in the context of its address, for as long as it would be accepted, at every process of ours.
        name = f"dpop:{digest(f'{thumbprint} {method} {urlsplit(url).path} {jti}')}"
        now = self._clock.now()
        if not self._slips.add(name, "1", now + (LIFE_S + AHEAD_S + 1) * SECOND, now):
            raise InvalidProof("The DPoP proof was used before.")
        return thumbprint

    def fresh_nonce(self) -> str:
        """For the next proof, whoever makes it; empty: none is asked for."""
        return self._seals.seal(_NONCE, {}) if self._asks_nonce else ""

    def _check_time(self, claims: dict[str, Any]) -> None:
        iat, nonce = claims.get("iat"), claims.get("nonce")
        if isinstance(iat, bool) or not isinstance(iat, int | float) or not 0 <= iat < 1e12:
            raise InvalidProof("The DPoP proof has no iat.")
        if self._asks_nonce:
            # Section 4.3, item 11: our own time in it is better than the clock of whoever made the proof.
            if not isinstance(nonce, str) or self._seals.open(_NONCE, nonce, LIFE_S) is None:
                raise InvalidProof("Make the DPoP proof with the nonce of this answer.", code="use_dpop_nonce")
        elif not -AHEAD_S <= self._clock.now() / SECOND - iat <= LIFE_S:
            raise InvalidProof("The DPoP proof is too old, or from the future.")


def is_target(htu: object, url: str) -> bool:
    """Whether `htu` names this address of ours: compared as RFC 3986 sections 6.2.2 and 6.2.3 say, its query and
    fragment not looked at (section 4.3, item 9)."""
    if not isinstance(htu, str) or len(htu) > 2000 or not htu.isascii():
        return False
    try:
        return _target(htu) == _target(url)
    except ValueError:
        return False


def _target(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError("user information")
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme), unquote(parts.path) or "/"


def _is_hash_of(ath: object, token: str) -> bool:
    expected = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    return isinstance(ath, str) and hmac.compare_digest(ath.encode(), expected.encode())
