"""An independent OpenID Connect library signs in and out against the real server, and hears of sign-outs elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sso_server.core.clients import Client
from tests.support.authlib_site import make_site, running
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, Centre, wait_until
from tests.support.ports import free_port
from tests.support.relying_party import RelyingParty

SECRET = "secret-of-authlib-0123456789abcdef0123456789abcdef"


@contextmanager
def authlib_site(centre: Centre, alg: str) -> Iterator[tuple[str, RelyingParty, list[dict[str, Any]]]]:
    """The site's address, its registration, and the logout calls that it accepted."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    client_id = f"authlib-{port}"
    party = RelyingParty(centre.issuer, client_id, SECRET, f"{base}/callback")
    centre.add_client(
        Client(
            client_id=client_id,
            name="Authlib",
            created_at=1,
            redirect_uris=(party.redirect_uri,),
            post_logout_redirect_uris=(f"{base}/signed-out",),
            backchannel_logout_uri=f"{base}/logout",
            id_token_alg=alg,
        ),
        SECRET,
    )
    told: list[dict[str, Any]] = []
    with running(make_site(party, told), port):
        yield base, party, told


# Authlib prefers the names of RFC 9864; FAPI 2.0 and everybody's metadata say EdDSA.
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_authlib_signs_in_and_out_and_hears_the_logout(centre: Centre, alg: str) -> None:
    shown = f"Alice Liddell {centre.username}@example.com"
    with authlib_site(centre, alg) as (base, _, told):
        browser = Browser()
        browser.open(f"{base}/sign-in")
        browser.sign_in(centre.username, PASSWORD)
        assert (browser.url, browser.text) == (f"{base}/", shown)

        # Without the cookie of the site, only by the session at the centre: no question.
        browser.http.cookies.clear(domain="127.0.0.1", path="/", name="authlib_site")
        assert browser.open(f"{base}/sign-in").text == shown

        browser.open(f"{base}/sign-out")
        assert (browser.url.split("?")[0], browser.text) == (f"{base}/signed-out", "good bye")
        wait_until(lambda: told, why="the site to be told")
        assert told[0]["reason"] == "site_sign_out"
        assert 'name="password"' in browser.open(f"{base}/sign-in").text


def test_authlib_hears_of_a_sign_out_at_the_centre(centre: Centre) -> None:
    with authlib_site(centre, "RS256") as (base, party, told):
        browser = Browser()
        browser.open(f"{base}/sign-in")
        browser.sign_in(centre.username, PASSWORD)
        browser.open(f"{party.issuer}/sign-out").submit("/sign-out")
        wait_until(lambda: told, why="the site to be told")
        assert told[0]["reason"] == "sign_out"
        assert browser.open(f"{base}/").text == "nobody"
