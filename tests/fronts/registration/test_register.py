"""POST /register: who may, what may be registered, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from sso_server.core import registrations
from sso_server.core.registrations import USUAL_SCOPES
from tests.support.client_keys import client_key
from tests.support.key_server import KeyServer
from tests.support.oidc_site import built_of
from tests.support.registering import CALLBACK, Software, bearer
from tests.support.signing_client import private_jwk, private_key

MakeApp = Callable[..., Flask]


def refusal(software: Software, members: Any = None, **more: Any) -> tuple[str, str]:
    """Its code and what it says; nothing was registered."""
    before = len(built_of(software.app).sql.clients.list_clients())
    answer = software.post(members, **more)
    assert answer.status_code == 400, answer.text
    assert len(built_of(software.app).sql.clients.list_clients()) == before
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.get_json()["error"], answer.get_json()["error_description"]


@pytest.mark.covers("line-84")
def test_a_client_with_the_initial_access_token_is_registered_and_hears_all_of_it(software: Software) -> None:
    answer = software.post(
        client_name="Reader", grant_types=["authorization_code", "refresh_token"], contacts=["a@b.example"]
    )
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    said = answer.get_json()
    assert said["client_secret_expires_at"] == 0
    assert said["registration_client_uri"].endswith(f"/register/{said['client_id']}")
    assert abs(said["client_id_issued_at"] - built_of(software.app).services.clock.now() // 1000) < 60
    assert {name: said[name] for name in ("client_name", "grant_types", "contacts", "redirect_uris")} == {
        "client_name": "Reader",
        "grant_types": ["authorization_code", "refresh_token"],
        "contacts": ["a@b.example"],
        "redirect_uris": [CALLBACK],
    }
    assert (said["token_endpoint_auth_method"], said["id_token_signed_response_alg"]) == (
        "client_secret_basic",
        "RS256",
    )
    assert (said["response_types"], said["scope"]) == (["code"], " ".join(USUAL_SCOPES))
    kept = built_of(software.app).services.clients.find(said["client_id"])
    assert kept is not None
    assert kept.metadata.third_party
    assert kept.metadata.registered_with == "ci"


@pytest.mark.covers("line-84")
def test_nobody_registers_without_the_initial_access_token(software: Software) -> None:
    for token in ("", "iat-" + "a" * 32, "x y"):
        answer = software.post(token=token)
        assert answer.status_code == 401
        assert ("invalid_token" in answer.headers["WWW-Authenticate"]) == bool(token)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_token_lets_in_as_many_as_it_says_and_a_mistake_costs_none(app: Flask) -> None:
    software = Software.at(app, uses=2)
    assert refusal(software, redirect_uris=["https://rp.example/#x"])[0] == "invalid_redirect_uri"
    assert [software.post().status_code for _ in range(3)] == [201, 201, 401]


def test_a_token_works_until_it_expires(app: Flask, later: Any) -> None:
    software = Software.at(app, life_ms=60_000)
    assert software.post().status_code == 201
    with later(61):
        assert software.post().status_code == 401
        # Nor does it learn what could be registered, or have anything fetched.
        with KeyServer("[]") as sector:
            assert software.post(sector_identifier_uri=sector.url).status_code == 401
            assert sector.asked == 0


def test_a_removed_token_lets_nobody_in_and_its_clients_stay(software: Software, browser: Any) -> None:
    site = software.register(require_pkce=True)
    built_of(software.app).services.registrations.remove_token("ci")
    assert software.post().status_code == 401
    assert site.tokens(browser, scope="openid")["id_token"]


def test_an_open_centre_takes_everybody_and_a_closed_one_nobody(make_app: MakeApp) -> None:
    assert Software(make_app(registration="open")).post().status_code == 201
    closed = Software.at(make_app(registration="off"))
    answer = closed.post()
    assert (answer.status_code, answer.get_json()["error"]) == (403, "access_denied")
    document = closed.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert "registration_endpoint" not in document


def test_a_wrong_token_is_refused_also_where_none_is_needed(make_app: MakeApp) -> None:
    assert Software(make_app(registration="open")).post(token="iat-wrong").status_code == 401


def test_who_registers_without_end_has_to_wait(make_app: MakeApp) -> None:
    software = Software(make_app(registration="open"))
    answers = [software.post(redirect_uris=[]) for _ in range(202)]
    assert {answer.status_code for answer in answers[:199]} == {400}
    assert (answers[-1].status_code, answers[-1].get_json()["error"]) == (429, "slow_down")
    assert int(answers[-1].headers["Retry-After"]) > 0


@pytest.mark.covers("oidcc-redirect-uri-regfrag")
def test_oidcc_redirect_uri_regfrag(software: Software) -> None:
    assert refusal(software, redirect_uris=[f"{CALLBACK}#fragment"])[0] == "invalid_redirect_uri"


ANYWHERE = [
    "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "http://rp.example/cb", "https://*.rp.example/cb",
    "https://rp.example/*", "https://user@rp.example/cb", "https://rp.example@evil.example/cb", "https:///cb", "",
    "/cb", "HTTPS://rp.example/cb", "https://rp.example/c b", "https://rp.example\\@evil.example/", "file:///etc/passwd",
    "https://rp.example/\ncb", "com.example.app:/cb", "https://rp.example/" + "c" * 2000, "https://rp.example/\u00e9",
]  # fmt: skip


@pytest.mark.covers("line-85")
def test_addresses_that_could_lead_anywhere_are_refused(software: Software) -> None:
    for uri in ANYWHERE:
        assert refusal(software, redirect_uris=[CALLBACK, uri])[0] == "invalid_redirect_uri", uri


@pytest.mark.covers("line-85")
def test_a_native_app_has_a_scheme_of_its_own_or_a_loopback_address(software: Software) -> None:
    uris = ["com.example.app:/cb", "http://127.0.0.1/cb", "http://[::1]:8000/cb", "https://rp.example/app"]
    software.register(redirect_uris=uris, application_type="native", token_endpoint_auth_method="none")
    assert software.said["redirect_uris"] == uris


@pytest.mark.covers("line-85")
def test_an_app_has_no_scheme_that_others_may_have_too(software: Software) -> None:
    for uri in (
        "app:/cb", "javascript:x.y", "Com.Example:/cb", "com.example.app:/cb#x", "com.example.app:", "a.b:c@d",
        "com.example.app://h:abc/cb", "com.example.app://h:99999/cb", "com.example.app://[bad/cb",
    ):  # fmt: skip
        assert refusal(software, redirect_uris=[uri], application_type="native")[0] == "invalid_redirect_uri", uri


JWKS = json.loads(client_key("ES256", "registering").jwks)


@pytest.mark.covers("line-86")
def test_keys_are_registered_by_value_or_by_address_and_never_both(software: Software) -> None:
    error, words = refusal(software, jwks=JWKS, jwks_uri="https://rp.example/jwks")
    assert (error, "alternatives" in words) == ("invalid_client_metadata", True)
    error, words = refusal(software, jwks={"keys": [JWKS["keys"][0] | {"x-note": "n" * 9000}]})
    assert (error, "jwks_uri" in words) == ("invalid_client_metadata", True)
    software.register(jwks=JWKS)
    assert software.said["jwks"] == JWKS


def test_redirect_uris_are_a_list_of_at_least_one_and_not_too_many(software: Software) -> None:
    many = [f"https://rp.example/{n}" for n in range(51)]
    for uris in (CALLBACK, [CALLBACK, 1], [], None, many):
        assert refusal(software, {"redirect_uris": uris})[0] == "invalid_redirect_uri", uris


IMPOSSIBLE: list[dict[str, Any]] = [
    {"response_types": ["code", "id_token"]},
    {"response_types": ["token"]},
    {"response_types": []},
    {"grant_types": ["authorization_code", "implicit"]},
    {"grant_types": ["password"]},
    {"grant_types": ["authorization_code", "client_credentials"]},
    {"grant_types": []},
    {"grant_types": "authorization_code"},
    {"token_endpoint_auth_method": "client_secret_jwt"},
    {"token_endpoint_auth_method": "tls_client_auth"},
    {"token_endpoint_auth_method": "private_key_jwt"},
    {"token_endpoint_auth_method": 1},
    {"token_endpoint_auth_signing_alg": "HS256"},
    {"id_token_signed_response_alg": "none"},
    {"id_token_signed_response_alg": "HS256"},
    {"id_token_encrypted_response_alg": "RSA-OAEP"},
    {"userinfo_signed_response_alg": "none"},
    {"userinfo_encrypted_response_enc": "A128GCM"},
    {"request_object_signing_alg": "none"},
    {"request_object_encryption_alg": "RSA-OAEP"},
    {"require_signed_request_object": True},
    {"subject_type": "nobody"},
    {"subject_type": "pairwise", "redirect_uris": [CALLBACK, "https://other.example/cb"]},
    {"subject_type": "pairwise", "redirect_uris": ["com.example.app:/cb"], "application_type": "native"},
    {"application_type": "desktop"},
    {"logo_uri": "http://rp.example/logo.png"},
    {"logo_uri": "javascript:alert(1)"},
    {"logo_uri": "http://127.0.0.1/logo.png"},
    {"logo_uri": "https://127.0.0.1/cas/logout"},
    {"logo_uri#zh": "https://127.0.0.1:8443/cas/logout"},
    {"initiate_login_uri": "http://localhost/begin"},
    {"policy_uri": "http://rp.example/policy"},
    {"tos_uri": "data:text/html,x"},
    {"client_uri": ["https://rp.example"]},
    {"tos_uri#zh-CN": "http://rp.example/tos"},
    {"client_name#": "x"},
    {"client_name#not a tag": "x"},
    {"client_name": 7},
    {"client_name": "x" * 201},
    {"client_name": "Bank\u202e"},
    {"client_name": "a\nb"},
    {"contacts": "a@b.example"},
    {"contacts": ["x" * 201]},
    {"default_max_age": "60"},
    {"default_max_age": -1},
    {"default_max_age": True},
    {"require_auth_time": "yes"},
    {"jwks": {"keys": []}},
    {"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}},
    {"jwks": {"keys": [private_jwk(private_key("ES256", "registering"))]}},
    {"jwks": "{}"},
    {"jwks_uri": "http://rp.example/jwks"},
    {"jwks_uri": "https://user@rp.example/jwks"},
    {"backchannel_logout_uri": "http://rp.example/logout"},
    {"backchannel_logout_uri": "https://rp.example/logout#x"},
    {"backchannel_logout_uri": "http://[a"},
    {"post_logout_redirect_uris": ["http://rp.example/bye"]},
    {"scope": "groups"},
]


def test_what_cannot_be_kept_is_refused_by_name(software: Software) -> None:
    for members in IMPOSSIBLE:
        error, words = refusal(software, members)
        assert (error, bool(words)) == ("invalid_client_metadata", True), members


def test_a_software_statement_is_refused_for_nobody_vouches_for_any(software: Software) -> None:
    assert refusal(software, software_statement="e30.e30.x")[0] == "unapproved_software_statement"


@pytest.mark.covers("line-88")
def test_metadata_that_nobody_knows_is_ignored(software: Software) -> None:
    software.register(
        {"foo": {"bar": [1]}, "tls_client_certificate_bound_access_tokens": True, "x#y": 1, "logo_uri": None}
    )
    assert not {"foo", "tls_client_certificate_bound_access_tokens", "x#y", "logo_uri"} & set(software.said)


@pytest.mark.covers("line-88")
def test_more_than_anybody_needs_is_refused_unread(software: Software) -> None:
    assert software.post(foo="x" * 132_000).status_code == 413


def test_a_body_that_no_store_can_keep_is_refused_and_costs_no_use(app: Flask) -> None:
    software = Software.at(app, "once", uses=1)
    for text in ("\ud800", "a\0b"):
        for members in ({"client_name": text}, {"jwks": {"keys": [{"kty": "x", "kid": text}]}}, {text: 1}):
            assert refusal(software, members)[0] == "invalid_request", members
    software.register()


def test_a_body_that_is_no_json_object_is_refused(software: Software) -> None:
    calls, headers = software.app.test_client(), bearer(software.initial)
    for body in (b"[]", b"{", b'{"a": 1, "a": 2}', b"\xff", b"[" * 100_000):
        answer = calls.post("/register", data=body, headers=headers, content_type="application/json")
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    answer = calls.post("/register", data={"redirect_uris": CALLBACK}, headers=headers)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_what_a_token_allows_is_all_that_its_clients_get(app: Flask) -> None:
    policy = {"scopes": ("openid", "groups"), "grants": ("authorization_code", "client_credentials")}
    software = Software.at(app, **policy)
    software.register(scope="openid email groups", grant_types=["client_credentials"], redirect_uris=[])
    assert (software.said["scope"], software.said["grant_types"]) == ("openid groups", ["client_credentials"])
    assert software.said["response_types"] == []
    assert refusal(software, grant_types=["authorization_code", "refresh_token"])[0] == "invalid_client_metadata"


def test_names_and_addresses_in_other_languages_come_back_as_they_were_sent(software: Software) -> None:
    said = {"client_name": "Reader", "client_name#zh-CN": "阅读器", "tos_uri#de": "https://rp.example/agb"}
    software.register(said)
    assert {name: software.said[name] for name in said} == said


@pytest.mark.covers("oidcc-3rd_party-init-login", "oidcc-3rd_party-init-login-nohttps")
def test_oidcc_3rd_party_init_login(software: Software) -> None:
    assert refusal(software, initiate_login_uri="http://rp.example/begin")[0] == "invalid_client_metadata"
    software.register(initiate_login_uri="https://rp.example/begin")
    assert software.manage("GET").get_json()["initiate_login_uri"] == "https://rp.example/begin"


@pytest.mark.covers("oidcc-registration-sector-uri", "line-87")
def test_oidcc_registration_sector_uri(software: Software) -> None:
    addresses = [CALLBACK, "https://other.example/cb"]
    with KeyServer(json.dumps([*addresses, "https://more.example/cb"])) as sector:
        software.register(subject_type="pairwise", redirect_uris=addresses, sector_identifier_uri=sector.url)
    assert (software.said["sector_identifier_uri"], software.said["subject_type"]) == (sector.url, "pairwise")


@pytest.mark.covers("oidcc-registration-sector-bad", "line-87")
def test_oidcc_registration_sector_bad(software: Software) -> None:
    with KeyServer() as sector:
        for content in ('["https://other.example/cb"]', "[]", "{}", '"x"', "[1]", "<html>", "[" * 50_000):
            sector.body = content
            error, _ = refusal(software, subject_type="pairwise", sector_identifier_uri=sector.url)
            assert error == "invalid_client_metadata", content


@pytest.mark.covers("line-87")
def test_a_sector_that_cannot_be_fetched_safely_is_refused(software: Software) -> None:
    with KeyServer(json.dumps([CALLBACK])) as sector:
        sector.status, sector.headers = 302, {"Location": "http://127.0.0.1:1/"}
        assert refusal(software, sector_identifier_uri=sector.url)[0] == "invalid_client_metadata"
        assert sector.asked == 1
    for uri in ("https://169.254.169.254/sector", "https://10.0.0.1/sector", "http://rp.example/sector"):
        assert refusal(software, sector_identifier_uri=uri)[0] == "invalid_client_metadata"


@pytest.mark.covers("line-42")
def test_no_client_can_be_called_like_a_person(software: Software) -> None:
    ids = {software.register().client_id for _ in range(3)}
    assert len(ids) == 3
    assert {client_id.partition("-")[0] for client_id in ids} == {"app"}
    assert refusal(software, client_id="usr-x", redirect_uris=[])[0] == "invalid_redirect_uri"
    assert software.register(client_id="usr-somebody").client_id != "usr-somebody"


def test_the_audit_says_who_registered_by_which_token_and_the_log_has_no_secret(software: Software, capfd: Any) -> None:
    software.register()
    (event,) = built_of(software.app).sql.audit.list_events(1)
    assert (event.kind, event.client_id, event.actor) == (
        "client_changed",
        software.said["client_id"],
        "registration:ci",
    )
    said = "".join(capfd.readouterr())
    for secret in (software.initial, software.said["client_secret"], software.said["registration_access_token"]):
        assert secret not in said


def test_so_many_may_register_themselves_and_no_more(software: Software, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process keeps every client."""
    software.register()
    assert software.manage("GET").status_code == 200, "known to this process"
    monkeypatch.setattr(registrations, "MAX_SELF_REGISTERED", 1)
    answer = software.post(client_name="One more")
    assert (answer.status_code, answer.get_json()["error"]) == (403, "access_denied")
    assert software.manage("GET").status_code == 200
