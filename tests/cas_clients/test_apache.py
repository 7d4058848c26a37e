"""Debian's Apache module mod_auth_cas, configured as docs/cas-clients.md says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.apache import running_apache
from tests.support.browser import Browser
from tests.support.cas_site import CasSite, is_in, ticket_of, told, visit
from tests.support.centre import wait_until
from tests.support.tls_centre import TlsCentre

pytestmark = [pytest.mark.apache, pytest.mark.nginx]

TLS = """
SSLEngine On
SSLCertificateFile @HERE@/site.pem
"""
PAGES = {"index.html": "for all", "private/index.html": "for us", "private/staff/index.html": "for staff"}


@pytest.fixture(scope="module", params=["CAS 3", "SAML 1.1"])
def apache(
    request: pytest.FixtureRequest, running_tls_centre: TlsCentre, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CasSite]:
    name = "intranet" if request.param == "CAS 3" else "archive"
    site = CasSite(name, tmp_path_factory.mktemp(name), scheme="https")
    site.write(running_tls_centre.url)
    site.register(running_tls_centre.centre, like="intranet")
    configuration = TLS + (site.directory / "auth_cas.conf").read_text()
    for word, here in (
        ("/etc/ssl/certs/ca-certificates.crt", "@HERE@/ca.pem"),
        ("/var/cache/apache2/mod_auth_cas/", "@HERE@/cookies/"),
    ):
        assert word in configuration
        configuration = configuration.replace(word, here)
    if request.param != "CAS 3":
        configuration = configuration.replace("p3/serviceValidate", "samlValidate\nCASValidateSAML On")
    files = {"ca.pem": running_tls_centre.ca_file, "site.pem": running_tls_centre.certificate(site.host)}
    copied = {name: Path(path).read_text() for name, path in files.items()}
    with running_apache(site.host, site.port, configuration, PAGES, copied) as directory:
        site.log = directory / "error.log"
        yield site


def test_apache_signs_in_stays_signed_in_and_is_signed_out_by_single_logout(
    tls_centre: TlsCentre, apache: CasSite
) -> None:
    browser, who = tls_centre.browser(), tls_centre.centre.username
    assert browser.open(apache.base_url).text == "for all"
    assert visit(apache, "/private/?of=d%C3%A9ep%26dark", browser, who) == "for us"
    assert browser.page.headers["X-User"] == who
    assert browser.page.headers["X-Name"] == "Alice Liddell"
    assert set(browser.page.headers["X-Groups"].split(",")) == {"staff", "R&D <1>"}
    for _ in range(3):
        assert is_in(apache, "/private/", browser)
    assert browser.open(f"{apache.base_url}/private/staff/").text == "for staff", "a rule about an attribute"
    tls_centre.centre.add_user(f"guest-{who}", groups=("guests",))
    guest = tls_centre.browser()
    assert visit(apache, "/private/", guest, f"guest-{who}") == "for us"
    assert guest.open(f"{apache.base_url}/private/staff/").page.status_code == 401, "the same rule"

    (session,) = tls_centre.centre.cli("session", "list", "--user", who)
    tls_centre.centre.cli("session", "end", session["sid"])
    wait_until(lambda: not is_in(apache, "/private/", browser), why="Apache to be told")
    wait_until(lambda: told(tls_centre.centre, who)[apache.name] == ["acknowledged"], why="the ledger to know")
    assert 'name="password"' in browser.open(f"{apache.base_url}/private/").text, "the centre asks again"


def test_apache_signs_in_silently_and_hears_of_a_sign_out_at_the_centre(tls_centre: TlsCentre, apache: CasSite) -> None:
    browser = tls_centre.browser()
    browser.open(f"{tls_centre.url}/sign-in").sign_in(tls_centre.centre.username, "correct horse battery")
    assert visit(apache, "/private/", browser) == "for us"
    browser.http.cookies.clear(domain=apache.host)
    assert browser.open(f"{apache.base_url}/private").text == "for us", "without the slash, too"
    browser.open(f"{tls_centre.url}/cas/logout")
    wait_until(lambda: not is_in(apache, "/private/", browser), why="Apache to be told")


def test_apache_accepts_a_ticket_once_and_for_one_page(tls_centre: TlsCentre, apache: CasSite) -> None:
    browser = tls_centre.browser()
    visit(apache, "/private/?a=b", browser, tls_centre.centre.username)
    ticket = ticket_of(browser)
    assert _with_ticket(tls_centre, apache, "/private/?a=b&ticket=", ticket) == 401, "used already"
    browser.http.cookies.clear(domain=apache.host)
    to_the_centre = _location(browser, f"{apache.base_url}/private/")
    fresh = _location(browser, to_the_centre).rpartition("ticket=")[2]
    assert _with_ticket(tls_centre, apache, "/private/other?ticket=", fresh) == 401, "made for another page"
    assert _with_ticket(tls_centre, apache, "/private/?ticket=", fresh) == 401, "burnt by that"


def _with_ticket(centre: TlsCentre, site: CasSite, path: str, ticket: str) -> int:
    browser = centre.browser()
    return browser.http.get(f"{site.base_url}{path}{ticket}", allow_redirects=False, timeout=15).status_code


def _location(browser: Browser, url: str) -> str:
    return str(browser.http.get(url, allow_redirects=False, timeout=15).headers["Location"])
