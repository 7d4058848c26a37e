"""phpCAS as Debian has it, configured as docs/cas-clients.md says, under PHP's own server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
import requests

from tests.support.cas_site import CasSite, is_in, ticket_of, told, visit
from tests.support.centre import wait_until
from tests.support.services import find_phpcas
from tests.support.tls_centre import TlsCentre

pytestmark = [pytest.mark.php, pytest.mark.nginx]


@pytest.fixture(scope="module")
def forum(running_tls_centre: TlsCentre, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CasSite]:
    site = CasSite("forum", tmp_path_factory.mktemp("forum"))
    site.write(
        running_tls_centre.url,
        **{
            "'sso.example.org', 443": f"'127.0.0.1', {running_tls_centre.port}",
            "'sso.example.org'": "'127.0.0.1'",
            "/etc/ssl/certs/ca-certificates.crt": running_tls_centre.ca_file,
        },
    )
    (site.directory / "good-bye.html").write_text("Good bye")
    (site.directory / "sessions").mkdir()
    site.register(running_tls_centre.centre)
    php = find_phpcas() or shutil.which("php") or "php"
    options = ["-d", f"session.save_path={site.directory}/sessions", "-d", "display_errors=0"]
    argv = [php, *options, "-S", f"127.0.0.1:{site.port}", "-t", str(site.directory)]
    with site.running(argv):
        yield site


def test_php_signs_in_stays_signed_in_and_is_signed_out_by_single_logout(tls_centre: TlsCentre, forum: CasSite) -> None:
    browser, who = tls_centre.browser(), tls_centre.centre.username
    shown = f"Forum of Alice Liddell ({who})"
    assert visit(forum, "/index.php?topic=d%C3%A9ep%26dark", browser, who) == shown
    for _ in range(3):
        assert is_in(forum, "/index.php", browser)
    (session,) = tls_centre.centre.cli("session", "list", "--user", who)
    tls_centre.centre.cli("session", "end", session["sid"])
    wait_until(lambda: not is_in(forum, "/index.php", browser), why="phpCAS to be told")
    wait_until(lambda: told(tls_centre.centre, who)["forum"] == ["acknowledged"], why="the ledger to know")
    assert 'name="password"' in browser.open(f"{forum.base_url}/index.php").text, "the centre asks again"


def test_a_sign_out_at_the_php_site_comes_back_to_it(tls_centre: TlsCentre, forum: CasSite) -> None:
    browser = tls_centre.browser()
    visit(forum, "/index.php", browser, tls_centre.centre.username)
    browser.open(f"{forum.base_url}/index.php?sign-out")
    assert (browser.url, browser.text) == (f"{forum.base_url}/good-bye.html", "Good bye")
    assert tls_centre.centre.cli("session", "list", "--user", tls_centre.centre.username) == []


def test_php_accepts_a_ticket_once(tls_centre: TlsCentre, forum: CasSite) -> None:
    browser = tls_centre.browser()
    visit(forum, "/index.php", browser, tls_centre.centre.username)
    again = requests.get(f"{forum.base_url}/index.php?ticket={ticket_of(browser)}", timeout=15)
    assert "Alice" not in again.text
