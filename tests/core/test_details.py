"""What tickets, grants and tokens carry besides their columns: as text and back, whatever it is."""

import pytest

from sso_server.core.details import GrantDetails, TokenDetails

GRANTS = (
    GrantDetails(),
    GrantDetails(acr="urn:example:strong"),
    GrantDetails(claims='{"userinfo":{"name":null}}', resources=("https://api.example/",), dpop_jkt="x" * 43),
    GrantDetails(claims='{"é":"中"}'),
)
TOKENS = (
    TokenDetails(),
    TokenDetails(scope="openid"),
    TokenDetails(jkt="x" * 43, actor="shop wiki", resources=("https://api.example/", "https://two.example/")),
)


@pytest.mark.parametrize("details", GRANTS)
def test_what_a_grant_carries_comes_back_from_its_text(details: GrantDetails) -> None:
    assert GrantDetails.from_text(details.to_text()) == details


@pytest.mark.parametrize("details", TOKENS)
def test_what_a_token_carries_comes_back_from_its_text(details: TokenDetails) -> None:
    assert TokenDetails.from_text(details.to_text()) == details


def test_nothing_is_written_where_there_is_nothing_to_say() -> None:
    assert GrantDetails().to_text() == TokenDetails().to_text() == ""


def test_an_empty_scope_opens_nothing_and_is_not_the_grants() -> None:
    assert TokenDetails.from_text(TokenDetails(scope="").to_text()).scope == ""


def test_what_a_newer_version_wrote_is_left_out() -> None:
    assert GrantDetails.from_text('{"acr":"a","later":1}') == GrantDetails(acr="a")
    assert TokenDetails.from_text('{"jkt":"k","later":1}') == TokenDetails(jkt="k")
