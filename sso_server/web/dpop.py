"""DPoP as it travels (RFC 9449): one proof in the `DPoP` header of a request, the next nonce in an answer's."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Request, Response, g

from sso_server.core.clients import Client
from sso_server.core.dpop import ALGORITHMS, InvalidProof, needs_proof
from sso_server.web.services import services

#: For `WWW-Authenticate` (section 7.1).
ALGS = f'algs="{" ".join(ALGORITHMS)}"'


def install_nonces(blueprint: Blueprint) -> None:
    """Answers of this blueprint to requests whose proof was looked for bring the nonce of the next (section 8.2)."""

    @blueprint.after_request
    def _nonce(response: Response) -> Response:
        if nonce := g.get("dpop_nonce", ""):
            response.headers["DPoP-Nonce"] = nonce
        return response


def read_proof(request: Request, *, token: str = "", jkt: str = "") -> str:
    """Thumbprint of the key of the request's proof; empty: it has none. `token`, `jkt`: see `DpopProofs.check`. Raises
    InvalidProof, Unavailable."""
    g.dpop_nonce = services().dpop.fresh_nonce()
    proofs = request.headers.getlist("DPoP")
    if not proofs:
        return ""
    # Section 4.3, item 1. A server in between may have put two into one line.
    if len(proofs) > 1 or "," in proofs[0]:
        raise InvalidProof("Send one DPoP header.")
    # As the client sees us, whatever proxy stands before us: our address is our issuer's.
    url = services().policy.issuer + request.path
    return services().dpop.check(proofs[0], method=request.method, url=url, token=token, jkt=jkt)


def prove_key(request: Request, client: Client) -> str:
    """The same at the token endpoint, where some clients must prove a key (section 5.2). Raises as `read_proof`."""
    jkt = read_proof(request)
    if not jkt and needs_proof(client):
        raise InvalidProof("This client's tokens are bound to a key: send a DPoP proof.")
    return jkt


def pushed_key(request: Request, form: Mapping[str, str]) -> str:
    """The key to which a pushed request binds its code: the proof's, `dpop_jkt`, or both if they agree; empty: none
    (section 10.1). Raises as `read_proof`."""
    jkt, named = read_proof(request), form.get("dpop_jkt", "")
    if jkt and named and jkt != named:
        raise InvalidProof("dpop_jkt names another key than the DPoP proof.")
    return jkt or named
