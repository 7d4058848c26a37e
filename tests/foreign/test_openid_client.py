"""npm's openid-client, a certified client, against the centre."""

from __future__ import annotations

import pytest

from sso_server.core.client_metadata import ClientMetadata
from tests.conformance.relying_party import Person
from tests.foreign.conftest import Register
from tests.foreign.driver import told

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("node_packages")]


@pytest.mark.parametrize(
    ("client", "site"),
    [
        ({}, {}),
        ({"id_token_alg": "ES256", "metadata": ClientMetadata()}, {"method": "client_secret_post"}),
        ({"id_token_alg": "EdDSA", "access_token": "jwt"}, {}),
        ({"public": True, "metadata": ClientMetadata()}, {}),
        ({}, {"mode": "form_post"}),
    ],
    ids=["basic", "post-es256", "eddsa-jwt", "public", "form_post"],
)
def test_a_site_signs_in_refreshes_asks_revokes_and_signs_out(
    person: Person, register: Register, client: dict[str, object], site: dict[str, str]
) -> None:
    registered = register(**client) | site
    result = told("usual", registered, person)
    assert result["person"] == result["again"]
    assert (result["person"]["sub"], result["person"]["name"]) == (result["sub"], "Alice Liddell")
    assert person.asked == 1
    if registered["method"] != "none":
        assert (result["active"], result["revoked"]) == (True, False)
    assert result["ended"] == f"{registered['post_logout_redirect_uri']}?state=bye"
    assert "error=login_required" in result["silent"]
