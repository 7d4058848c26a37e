"""What is refused, and how: the words of COM-08, and addresses that aren't quite the registered one."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec

from sso_server.core.client_metadata import CLIENT_CREDENTIALS, PRIVATE_KEY_JWT, ClientMetadata
from tests.conformance import answers
from tests.conformance.conftest import SECRET, a_client
from tests.conformance.relying_party import Person, RelyingParty
from tests.support.centre import Centre

QUERIED = "suite-queried"


@pytest.mark.covers("COM-01", "COM-08", "line-2", "line-33", "line-51", "line-68", "line-74")
@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"prompt": "none"}, "login_required"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"response_mode": "jwt"}, "invalid_request"),
        ({"code_challenge": "x" * 43, "code_challenge_method": "plain"}, "invalid_request"),
        ({"id_token_hint": "not.a.token"}, "invalid_request"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"state": None, "prompt": "none"}, "login_required"),
    ],
)
@pytest.mark.parametrize("mode", ["", "form_post"])
def test_an_error_is_a_defined_word_with_state_and_issuer_and_no_code(
    person: Person, party: RelyingParty, more: dict[str, str | None], error: str
) -> None:
    if more.get("response_type"):
        more = {"response_mode": "query", **more}  # else the answer stands behind the `#`
    assert party.error(person, **more) == error


@pytest.mark.covers("COM-08", "line-12", "line-15")
def test_a_refused_token_request_is_a_defined_word_in_json(person: Person, party: RelyingParty) -> None:
    refused = {
        "unsupported_grant_type": party.post("token_endpoint", grant_type="password", username="a", password="b"),
        "invalid_request": party.post("token_endpoint", code="x"),
        "invalid_grant": party.try_code("no-such-code"),
        "invalid_client": replace(party, secret="wrong").try_code("no-such-code"),
    }
    assert [answers.refusal(answer) for answer in refused.values()] == list(refused)
    assert requests.get(party.metadata["token_endpoint"], timeout=10).status_code == 405


@pytest.mark.covers("line-10", "line-11")
def test_a_code_needs_the_client_and_the_address_that_it_was_given_to(
    person: Person, party: RelyingParty, other: RelyingParty
) -> None:
    wrong = (
        other.try_code(party.code(person), redirect_uri=party.redirect_uri),
        party.try_code(party.code(person), redirect_uri=f"{party.redirect_uri}/"),
        party.try_code(party.code(person), redirect_uri=""),
    )
    assert [answers.refusal(answer) for answer in wrong[:2]] == ["invalid_grant"] * 2
    assert answers.refusal(wrong[2]) in ("invalid_grant", "invalid_request")


@pytest.fixture(scope="session")  # as the centre: a worker may come back to this module
def queried(suite_centre: Centre) -> RelyingParty:
    """A client with two addresses that have queries."""
    base = f"https://{QUERIED}.example.com"
    addresses = (f"{base}/cb?foo=bar", f"{base}/cb?foo=%2F&b")
    suite_centre.add_client(a_client(QUERIED, redirect_uris=addresses), SECRET)
    return RelyingParty(suite_centre.issuer, QUERIED, SECRET)


@pytest.mark.covers("oidcc-ensure-redirect-uri-in-authorization-request")
def test_oidcc_ensure_redirect_uri_in_authorization_request(person: Person, queried: RelyingParty) -> None:
    assert queried.ask(person, redirect_uri=None) is None
    assert person.page.status_code == 400


@pytest.mark.covers("oidcc-redirect-uri-query-OK", "line-7")
@pytest.mark.parametrize("query", ["foo=bar", "foo=%2F&b"])
def test_oidcc_redirect_uri_query_ok(person: Person, queried: RelyingParty, query: str) -> None:
    with_query = replace_address(queried, query)
    with_query.sign_in(person)


@pytest.mark.covers("oidcc-redirect-uri-query-mismatch", "oidcc-redirect-uri-query-added", "line-30")
@pytest.mark.parametrize("query", ["foo=baz", "foo=bar&more=1", "foo=bar&", "", "b&foo=%2F", "foo=/&b"])
def test_oidcc_redirect_uri_query_mismatch(person: Person, queried: RelyingParty, query: str) -> None:
    assert replace_address(queried, query).ask(person) is None
    assert (person.page.status_code, person.asked) == (400, 0)


class Queried(RelyingParty):
    """At another of its addresses."""

    query = ""

    @property
    def redirect_uri(self) -> str:
        return f"https://{QUERIED}.example.com/cb" + (f"?{self.query}" if self.query else "")


def replace_address(party: RelyingParty, query: str) -> Queried:
    found = Queried(party.issuer, party.client_id, party.secret)
    found.query = query
    return found


@pytest.mark.covers("advisory-22", "line-38")
def test_a_client_assertion_works_once_whichever_process_it_comes_to(suite_centre: Centre) -> None:
    """Of ten calls at once, each over a connection of its own, some come to the other worker."""
    key = ec.generate_private_key(ec.SECP256R1())
    shown = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())) | {"kid": "one"}
    metadata = ClientMetadata(
        grant_types=(CLIENT_CREDENTIALS,),
        token_endpoint_auth_method=PRIVATE_KEY_JWT,
        jwks=json.dumps({"keys": [shown]}),
    )
    suite_centre.add_client(a_client("suite-signing", metadata=metadata))
    issuer, now = suite_centre.issuer, int(time.time())
    claims = {"iss": "suite-signing", "sub": "suite-signing", "aud": issuer, "exp": now + 60, "iat": now, "jti": "once"}
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(claims, key, algorithm="ES256", headers={"kid": "one"}),
    }
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _: requests.post(f"{issuer}/token", data=form, timeout=30), range(10)))
    assert sorted(answer.status_code for answer in found) == [200] + [401] * 9
    assert {answers.refusal(answer) for answer in found if answer.status_code != 200} == {"invalid_client"}
