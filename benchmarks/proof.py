"""One ID token of each server that is measured, looked at as a site does: whoever signs otherwise than its row says, or
for somebody else, is not measured.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import jwt

from benchmarks.load import Operation, WrongAnswer, once, request
from benchmarks.traffic import Person, Site, Tokens, Traffic
from benchmarks.workloads import Stage

_SITE = Site(1)


def prove(stage: Stage) -> None:
    """By somebody who is signed in there; what speaks CAS signs nothing. Raises WrongAnswer."""
    if isinstance(stage.traffic, Traffic):
        doing = _visit(stage.traffic, stage.people[0])
        tokens, issuer, keys, sub = once(stage.server.address, doing)
        check(tokens["id_token"], keys, stage.server.case.algorithm, issuer, sub)


def check(id_token: str, keys: dict[str, Any], algorithm: str, issuer: str, sub: str) -> None:
    """OpenID Connect Core section 3.1.3.7, for site 1. Raises WrongAnswer."""
    try:
        kid = jwt.get_unverified_header(id_token).get("kid")
        key = next(one for one in jwt.PyJWKSet.from_dict(keys).keys if kid in (None, one.key_id))
        required = {"require": ["iss", "sub", "aud", "exp", "iat", "nonce"]}
        claims = jwt.decode(
            id_token, key, algorithms=[algorithm], audience=_SITE.client_id, issuer=issuer, options=required
        )
    except (jwt.PyJWTError, StopIteration) as error:
        raise WrongAnswer(f"an ID token: {type(error).__name__} {error}: not expected was {id_token}") from error
    if (claims["sub"], claims["nonce"]) != (sub, f"nonce-{_SITE.number}"):
        raise WrongAnswer(f"an ID token of {sub} at site 1: not expected was {claims}")


def _visit(traffic: Traffic, person: Person) -> Operation[tuple[Tokens, str, dict[str, Any], str]]:
    """Its tokens, the issuer, its keys, and who userinfo says that it is."""
    ticket = yield from traffic.ticket(person, _SITE)
    tokens = yield from traffic.redeem(_SITE, ticket)
    found = yield request("GET", traffic.discovery, traffic.host)
    said = json.loads(found.must(found.status == 200, "discovery").body)
    keys = yield request("GET", urlsplit(said["jwks_uri"]).path, traffic.host)
    keys.must(keys.status == 200, "keys")
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    person_there = yield request("GET", traffic.userinfo, traffic.host, headers=bearer)
    person_there.must(person_there.status == 200, "userinfo")
    return tokens, said["issuer"], json.loads(keys.body), json.loads(person_there.body)["sub"]
