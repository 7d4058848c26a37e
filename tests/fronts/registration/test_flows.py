"""Clients that registered themselves sign people in: the modules of the Dynamic plan."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient

from tests.support.client_keys import client_key
from tests.support.key_server import KeyServer
from tests.support.oidc_site import ISSUER, query_of
from tests.support.registering import CALLBACK, RegisteredSite, Software

NO_PKCE = {"code_challenge": None, "code_challenge_method": None}


@pytest.mark.covers("oidcc-idtoken-rs256", "oidcc-userinfo-rs256")
def test_oidcc_idtoken_rs256_and_userinfo_rs256(software: Software, browser: FlaskClient) -> None:
    site = software.register(id_token_signed_response_alg="RS256", userinfo_signed_response_alg="RS256")
    code = site.code(browser, scope="openid", **NO_PKCE)
    tokens = site.redeem(code, code_verifier=None).get_json()
    assert jwt.get_unverified_header(tokens["id_token"])["alg"] == "RS256"
    answer = site.userinfo(tokens["access_token"])
    assert answer.mimetype == "application/jwt"
    said = site.claims(answer.text)
    assert (said["iss"], said["aud"], said["sub"]) == (ISSUER, site.client_id, site.claims(tokens["id_token"])["sub"])


def signed_assertion(site: RegisteredSite, kid: str, **claims: object) -> dict[str, str]:
    """private_key_jwt with the key of this name."""
    now = int(time.time())
    said = {
        "iss": site.client_id,
        "sub": site.client_id,
        "aud": ISSUER,
        "exp": now + 60,
        "iat": now,
        "jti": f"{kid}-{now}",
    }
    return {
        "client_id": site.client_id,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": client_key("ES256", kid).sign(said | claims),
    }


@pytest.mark.covers("oidcc-registration-jwks-uri", "oidcc-ensure-client-assertion-with-iss-aud-succeeds")
def test_oidcc_registration_jwks_uri(software: Software, browser: FlaskClient) -> None:
    with KeyServer(client_key("ES256", "flow").jwks) as keys:
        site = software.register(token_endpoint_auth_method="private_key_jwt", jwks_uri=keys.url, require_pkce=True)
        assert "client_secret" not in software.said
        answer = site.redeem(site.code(browser, scope="openid"), **signed_assertion(site, "flow"))
        assert (answer.status_code, keys.asked) == (200, 1), answer.text


@pytest.mark.covers("oidcc-ensure-redirect-uri-in-authorization-request")
def test_a_client_with_two_addresses_names_one(software: Software, browser: FlaskClient) -> None:
    site = software.register(redirect_uris=[CALLBACK, "https://rp.example/other"])
    answer = site.ask(browser, redirect_uri=None)
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)


@pytest.mark.covers(
    "oidcc-redirect-uri-query-OK", "oidcc-redirect-uri-query-mismatch", "oidcc-redirect-uri-query-added"
)
def test_a_registered_query_is_kept_and_no_other_is_taken(software: Software, browser: FlaskClient) -> None:
    site = software.register(redirect_uris=[f"{CALLBACK}?foo=bar"], require_pkce=True)
    for wrong in (CALLBACK, f"{CALLBACK}?foo=baz", f"{CALLBACK}?foo=bar&x=1"):
        assert site.ask(browser, redirect_uri=wrong).status_code == 400
    answer = site.ask(browser, prompt="none", scope="openid")
    assert answer.headers["Location"].startswith(f"{CALLBACK}?foo=bar&")
    assert query_of(answer)["error"] == "login_required"


@pytest.mark.covers("line-30")
def test_only_the_port_of_an_apps_loopback_address_is_its_systems_to_choose(
    software: Software, browser: FlaskClient
) -> None:
    registered = "http://127.0.0.1/cb?x=1"
    site = software.register(redirect_uris=[registered], application_type="native", token_endpoint_auth_method="none")
    good = "http://127.0.0.1:49152/cb?x=1"
    for uri in (good, registered, "http://127.0.0.1:1/cb?x=1"):
        assert site.ask(browser, redirect_uri=uri, prompt="none").headers["Location"].startswith(uri)
    for uri in (
        "http://127.0.0.1:49152/cb",
        "http://127.0.0.1:49152/cb?x=1&y",
        "http://127.0.0.1:49152/CB?x=1",
        "http://localhost:49152/cb?x=1",
        "http://127.0.0.1:49152@evil.example/cb?x=1",
        "http://127.0.0.1:0/cb?x=1",
        "http://127.0.0.1:65536/cb?x=1",
        "http://127.0.0.1:/cb?x=1",
        "https://127.0.0.1:49152/cb?x=1",
        "http://127.0.0.2:49152/cb?x=1",
    ):
        assert site.ask(browser, redirect_uri=uri, prompt="none").status_code == 400, uri
    web = software.register(redirect_uris=[registered])
    assert web.ask(browser, redirect_uri=good, prompt="none").status_code == 400


def test_an_app_redeems_its_code_with_the_address_that_it_asked_with(software: Software, browser: FlaskClient) -> None:
    software.register(
        redirect_uris=["http://127.0.0.1/cb"], application_type="native", token_endpoint_auth_method="none"
    )
    said = software.said
    site = RegisteredSite(software.app, said["client_id"], "", "http://127.0.0.1:49152/cb")
    assert site.redeem(site.code(browser, scope="openid")).status_code == 200
    wrong = site.redeem(site.code(browser, scope="openid"), redirect_uri="http://127.0.0.1/cb")
    assert wrong.get_json()["error"] == "invalid_grant"


def test_an_app_is_answered_at_its_own_scheme(software: Software, browser: FlaskClient) -> None:
    site = software.register(
        redirect_uris=["com.example.app:/cb"], application_type="native", token_endpoint_auth_method="none"
    )
    assert site.redeem(site.code(browser, scope="openid")).status_code == 200


def test_pairwise_clients_of_one_sector_know_a_person_by_one_name(software: Software, browser: FlaskClient) -> None:
    one, two = "https://one.example/cb", "https://two.example/cb"
    names = []
    with KeyServer(json.dumps([one, two])) as sector:
        for uri in (one, two):
            site = software.register(
                redirect_uris=[uri], subject_type="pairwise", sector_identifier_uri=sector.url, require_pkce=True
            )
            names.append(site.claims(site.tokens(browser, scope="openid")["id_token"])["sub"])
    alone = software.register(redirect_uris=[one], subject_type="pairwise", require_pkce=True)
    names.append(alone.claims(alone.tokens(browser, scope="openid")["id_token"])["sub"])
    assert names[0] == names[1] != names[2]
    assert not any(name.startswith("usr-") for name in names)


def test_only_registered_grants_bring_refresh_tokens(software: Software, browser: FlaskClient) -> None:
    site = software.register(require_pkce=True)
    assert "offline_access" not in software.said["scope"].split()
    assert "refresh_token" not in site.tokens(browser, scope="openid")
    site = software.register(require_pkce=True, grant_types=["authorization_code", "refresh_token"])
    assert "refresh_token" in site.tokens(browser, scope="openid")


def test_a_public_client_that_registered_itself_always_uses_pkce(software: Software, browser: FlaskClient) -> None:
    site = software.register(token_endpoint_auth_method="none", require_pkce=False)
    assert software.said["require_pkce"] is True
    answer = site.ask(browser, prompt="none", scope="openid", **NO_PKCE)
    assert query_of(answer)["error"] == "invalid_request"


DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
ELSEWHERE: list[dict[str, object]] = [
    {"grant_types": ["authorization_code", DEVICE]},
    {"redirect_uris": ["http://localhost/cb"], "application_type": "native"},
]


def test_no_client_learns_by_which_name_people_are_known_at_an_address_that_it_only_claims(
    software: Software, browser: FlaskClient
) -> None:
    """Where nothing but that address hears of people, naming it brings nothing: that is what a sector is proven by."""

    def name_of(**members: object) -> str:
        site = software.register({"subject_type": "pairwise", "require_pkce": True} | members)
        return str(site.claims(site.tokens(browser, scope="openid")["id_token"])["sub"])

    assert name_of() == name_of(), "one sector"
    with KeyServer(json.dumps([CALLBACK, "http://localhost/cb"])) as sector:
        shared = {"sector_identifier_uri": sector.url}
        names = {name_of(), name_of(**shared), *(name_of(**way, **more) for way in ELSEWHERE for more in ({}, shared))}
        assert name_of(**shared) in names
    assert len(names) == 6


def test_the_names_by_which_a_client_knows_people_stay(software: Software) -> None:
    software.register(subject_type="pairwise")
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"subject_type": "pairwise", "redirect_uris": ["https://victim.example/cb"]},
    )
    for members in changes:
        answer = software.manage("PUT", **members)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_client_metadata"), members
    moved = software.manage("PUT", subject_type="pairwise", redirect_uris=[CALLBACK + "/elsewhere"])
    assert moved.status_code == 200, moved.text
    software.register()
    assert software.manage("PUT", subject_type="pairwise").status_code == 400
