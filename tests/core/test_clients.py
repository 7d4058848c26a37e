"""What may be registered as a client, and what is said of it that can't."""

from dataclasses import replace

import pytest

from sso_server.core.clients import CAS, Client, ClientSecret, check_audience, check_client, site_client
from sso_server.core.errors import InvalidRequest

WIKI = Client("wiki", "Wiki", 1, kind=CAS, cas_services=("https://wiki.example.org/",))
SHOP = Client("shop", "Shop", 1, redirect_uris=("https://shop.example/cb",))
MANY = tuple(f"https://wiki.example.org/{n}" for n in range(51))
SECRET = (ClientSecret("0" * 64),)


@pytest.mark.covers("line-108")
@pytest.mark.parametrize(
    ("client", "words"),
    [
        (replace(WIKI, cas_services=()), "at least one cas_service"),
        (replace(WIKI, redirect_uris=SHOP.redirect_uris), "neither a redirect_uri"),
        (replace(WIKI, post_logout_redirect_uris=SHOP.redirect_uris), "neither a redirect_uri"),
        (replace(WIKI, public=True), "has no secret"),
        (replace(WIKI, secrets=SECRET), "has no secret"),
        (replace(WIKI, delivery="poll"), "no delivery, no audience"),
        (replace(WIKI, access_token="jwt"), "no delivery, no audience"),
        (replace(WIKI, audience=("shop",)), "no delivery, no audience"),
        (replace(WIKI, cas_services=MANY), "at most 50 services"),
        (replace(WIKI, cas_services=WIKI.cas_services * 2), "each once"),
        (replace(WIKI, cas_proxy_callbacks=MANY), "at most 50 services"),
        (replace(WIKI, cas_proxy_callbacks=("http://127.0.0.1/pgt",)), "must be https"),
        (replace(WIKI, cas_attributes=("nobody",)), "no claim 'nobody'"),
        (replace(WIKI, kind="saml"), "protocol 'saml'"),
        (replace(SHOP, redirect_uris=()), "at least one redirect_uri"),
        (replace(SHOP, cas_services=WIKI.cas_services), "has no CAS services"),
        (replace(SHOP, cas_proxy_callbacks=MANY[:1]), "has no CAS services"),
        (replace(SHOP, cas_attributes=("email",)), "has no CAS services"),
        (replace(SHOP, scopes=("openid", "everything")), "scope 'everything'"),
        (replace(SHOP, delivery="poll", public=True), "can't poll"),
        (replace(SHOP, backchannel_logout_uri="https://shop.example/out#a"), "may not have a fragment"),
        (replace(SHOP, backchannel_logout_uri="http://shop.example/out", public=True), "must be https"),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(client: Client, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        check_client(client)


def test_what_goes_together_is_taken() -> None:
    site = site_client("site", "", "https://site.example", 1, kind=CAS)
    for client in (WIKI, replace(WIKI, cas_services=MANY[:50]), SHOP, replace(site, secrets=SECRET)):
        assert check_client(client) == client


def test_an_audience_is_of_clients_that_can_be_told_what_to_refuse() -> None:
    known = {"wiki": WIKI, "site": site_client("site", "", "https://site.example", 1, kind=CAS)}
    known |= {"app": replace(SHOP, client_id="app", public=True), "stock": replace(SHOP, client_id="stock")}
    check_audience(replace(SHOP, audience=("shop", "stock", "site")), known)
    for name, words in (
        ("wiki", "a CAS service without a secret"),
        ("app", "a public client"),
        ("else", "no such client"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            check_audience(replace(SHOP, audience=(name,)), known)
