"""DPoP proofs as signed texts (RFC 9449 section 4.2): the one kind of JWS whose header brings its own key."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sso_server.core.errors import InvalidRequest
from sso_server.core.key_sets import check_key, fits
from sso_server.crypto.compact import claims_under, open_header
from sso_server.crypto.key_pairs import thumbprint

_TYP = "dpop+jwt"


class SelfSigned:
    """`ports.ProofKeys`. Keeps nothing."""

    def read(self, proof: str, *, algs: Collection[str]) -> tuple[dict[str, Any], str] | None:
        opened = open_header(proof, algs, _TYP, typed=True)
        if opened is None:
            return None
        key = opened.header.get("jwk")
        try:
            if not isinstance(key, dict):
                return None
            # Section 4.3, item 7: no private half. What stands in the key beside its numbers is not its maker's word.
            check_key(key)
        except InvalidRequest:
            return None
        bare = {name: value for name, value in key.items() if name in ("kty", "crv", "x", "y", "n", "e")}
        if not fits(bare, opened.alg):
            return None
        claims = claims_under(opened.without_kid(), [bare])
        return None if claims is None else (claims, thumbprint(bare))
