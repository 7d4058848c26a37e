"""npm's oidc-provider, a certified provider, with our SDK as its site."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from tests.foreign.driver import program
from tests.support.browser import Browser
from tests.support.centre import wait_until
from tests.support.plugin_site import make_site
from tests.support.ports import free_port

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    """The provider's and the site's."""
    return free_port(), free_port()


@pytest.fixture(scope="module")
def site(ports: tuple[int, int]) -> str:
    """Where the site is."""
    return f"http://127.0.0.1:{ports[1]}"


@pytest.fixture(scope="module")
def registration(site: str) -> dict[str, object]:
    """Of the site at the provider."""
    return {
        "client_id": "site",
        "client_secret": secrets.token_urlsafe(32),
        "redirect_uris": [f"{site}/sso/callback"],
        "post_logout_redirect_uris": [f"{site}/"],
        "backchannel_logout_uri": f"{site}/sso/backchannel-logout",
        "backchannel_logout_session_required": True,
    }


@pytest.fixture(scope="module")
def provider(node_packages: None, ports: tuple[int, int], registration: dict[str, object]) -> Iterator[str]:
    """The issuer."""
    with program("provider.mjs", PORT=str(ports[0]), CLIENT=json.dumps(registration)) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        yield f"http://127.0.0.1:{ports[0]}"


@pytest.fixture(scope="module", autouse=True)
def running_site(
    provider: str,
    site: str,
    ports: tuple[int, int],
    registration: dict[str, object],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flask]:
    """On the SDK, with nothing but its settings."""
    directory: Path = tmp_path_factory.mktemp("site")
    app = make_site(
        issuer=provider,
        client_id="site",
        client_secret=registration["client_secret"],
        base_url=site,
        store=f"sqlite:///{directory / 'site.sqlite3'}",
        scopes="openid profile email",
        after_logout="redirect",
    )
    server = make_server("127.0.0.1", ports[1], app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, name="sdk-site", daemon=True)
    thread.start()
    yield app
    server.shutdown()
    thread.join(10)
    server.server_close()
    app.extensions["sso_client"].client.close()


def signed_in(site: str) -> Browser:
    """Somebody who has signed in there and agreed."""
    browser = Browser()
    browser.open(f"{site}/")
    browser.submit("/interaction/", login="alice", password="any")
    browser.submit("/interaction/")
    assert (browser.url, browser.text) == (f"{site}/", "Hi alice of Node")
    return browser


def test_a_person_signs_in_and_is_called_as_userinfo_says(site: str) -> None:
    """Its ID tokens hold no name: that comes from userinfo."""
    browser = signed_in(site)
    assert browser.open(f"{site}/open").text == "open to alice of Node"


def test_a_sign_out_at_the_provider_ends_the_local_session(site: str, provider: str) -> None:
    browser = signed_in(site)
    browser.open(f"{provider}/session/end")
    browser.submit("/session/end/confirm", logout="yes")
    wait_until(lambda: browser.open(f"{site}/open").text == "open to everybody", why="the logout call to arrive")


def test_a_sign_out_at_the_site_ends_the_session_at_the_provider(site: str, provider: str) -> None:
    browser = signed_in(site)
    browser.open(f"{site}/sso/logout")
    browser.submit("/sso/logout")
    assert browser.url.startswith(f"{provider}/session/end"), browser.url
    browser.submit("/session/end/confirm", logout="yes")
    assert site.removeprefix("http://") in browser.hosts, "it came back to the site, whose first page asks for a person"
    assert browser.url.startswith(f"{provider}/interaction/")
    assert 'name="login"' in browser.text, "and the provider knows nobody any more"
    assert browser.open(f"{site}/open").text == "open to everybody"
