from dataclasses import replace
from typing import Any

import pytest

from sso_server.core.client_metadata import FAPI2, ClientMetadata
from sso_server.core.clients import Client
from sso_server.core.tickets import s256
from sso_server.fronts.oidc import pkce

CONFIDENTIAL = Client(client_id="shop", name="Shop", created_at=1)
RELAXED = replace(CONFIDENTIAL, metadata=ClientMetadata(require_pkce=False))
PUBLIC = Client(client_id="spa", name="Spa", created_at=1, public=True)
# RFC 7636 appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_example_of_the_rfc_holds() -> None:
    assert s256(VERIFIER) == CHALLENGE
    assert pkce.problem(PUBLIC, CHALLENGE, "S256") == ""


@pytest.mark.covers("line-25")
@pytest.mark.parametrize("method", ["", "plain", "s256", "S512"])
def test_only_s256_will_do(method: str) -> None:
    assert "S256" in pkce.problem(CONFIDENTIAL, CHALLENGE, method)


@pytest.mark.covers("line-23")
@pytest.mark.parametrize("challenge", ["x" * 42, "x" * 44, "x" * 42 + "+", "x" * 42 + "=", "x" * 42 + "\n", "é" * 43])
def test_what_s256_cannot_have_made_is_refused(challenge: str) -> None:
    assert pkce.problem(CONFIDENTIAL, challenge, "S256")


@pytest.mark.covers("line-32")
def test_a_public_client_never_goes_without() -> None:
    assert pkce.problem(PUBLIC, "", "")


def test_a_confidential_client_goes_without_only_if_it_may() -> None:
    assert pkce.problem(CONFIDENTIAL, "", "")
    assert pkce.problem(RELAXED, "", "") == ""


def test_what_is_sent_is_checked_whoever_may_go_without() -> None:
    assert pkce.problem(RELAXED, CHALLENGE, "plain")
    assert pkce.problem(RELAXED, "short", "S256")


@pytest.mark.parametrize("change", [{"public": True}, {"metadata": ClientMetadata(require_pkce=False, profile=FAPI2)}])
def test_neither_a_public_client_nor_one_of_fapi_2_may_be_let_off(change: dict[str, Any]) -> None:
    assert pkce.problem(replace(RELAXED, **change), "", "")


def test_a_method_without_a_challenge_is_a_mistake() -> None:
    assert pkce.problem(CONFIDENTIAL, "", "S256")


@pytest.mark.covers("line-24")
@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("a" * 43, True),
        ("a" * 128, True),
        ("aZ09-._~" * 6, True),
        ("a" * 42, False),
        ("a" * 129, False),
        ("a" * 42 + " ", False),
        ("a" * 42 + "ß", False),
        ("a" * 43 + "\n", False),
    ],
)
def test_a_verifier_has_43_to_128_unreserved_characters(text: str, good: bool) -> None:
    assert pkce.is_verifier(text) is good
