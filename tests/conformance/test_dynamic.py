"""The suite's first step in its Dynamic plan: it registers its clients, over HTTP, at a centre with several workers."""

from __future__ import annotations

import pytest
import requests

from tests.conformance.relying_party import Person, RelyingParty
from tests.support.centre import Centre
from tests.support.registering import bearer

CALLBACK = "https://suite-dynamic.example.com/cb"


class Dynamic(RelyingParty):
    """At the address that it registered."""

    @property
    def redirect_uri(self) -> str:
        return CALLBACK


@pytest.mark.covers("line-84")
def test_a_client_signs_people_in_as_soon_as_it_is_registered(suite_centre: Centre, person: Person) -> None:
    token = suite_centre.cli("registration", "add", "suite", "--uses", "8")["token"]
    metadata = requests.get(f"{suite_centre.issuer}/.well-known/openid-configuration", timeout=10).json()
    for number in range(8):
        members = {"client_name": f"Suite {number}", "redirect_uris": [CALLBACK], "response_types": ["code"]}
        answer = requests.post(metadata["registration_endpoint"], json=members, headers=bearer(token), timeout=10)
        assert answer.status_code == 201, answer.text
        said = answer.json()
        # Whichever worker answers knows it, and its secret.
        party = Dynamic(suite_centre.issuer, said["client_id"], said["client_secret"])
        assert party.error(person, prompt="none") == "login_required"
        assert party.try_code("code-00-" + "a" * 32).json()["error"] == "invalid_grant"
        kept = requests.get(
            said["registration_client_uri"], headers=bearer(said["registration_access_token"]), timeout=10
        )
        assert kept.json()["client_name"] == f"Suite {number}"
    over = requests.post(metadata["registration_endpoint"], json=members, headers=bearer(token), timeout=10)
    assert over.status_code == 401
