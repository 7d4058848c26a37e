"""django-cas-ng in a project as `startproject` makes it, changed as docs/cas-clients.md says; proxy tickets, too."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import requests

from tests.support.cas_site import CasSite, is_in, ticket_of, told, visit
from tests.support.centre import clean_env, wait_until
from tests.support.tls_centre import TlsCentre

pytestmark = pytest.mark.nginx


@pytest.fixture(scope="module")
def wiki(tmp_path_factory: pytest.TempPathFactory, running_tls_centre: TlsCentre) -> CasSite:
    """Registered only: what a proxy ticket is for."""
    site = CasSite("wiki", tmp_path_factory.mktemp("wiki"), scheme="https")
    site.register(running_tls_centre.centre)
    return site


@pytest.fixture(scope="module")
def board(running_tls_centre: TlsCentre, tmp_path_factory: pytest.TempPathFactory, wiki: CasSite) -> Iterator[CasSite]:
    """Over https: the centre hands proxy-granting tickets to nobody else."""
    site = CasSite("board", tmp_path_factory.mktemp("board"), scheme="https")
    site.register(running_tls_centre.centre)
    env = {"REQUESTS_CA_BUNDLE": running_tls_centre.ca_file}

    def manage(*command: str) -> None:
        argv = [sys.executable, "-m", "django", *command]
        if command[0] != "startproject":
            argv = [sys.executable, "manage.py", *command]
        subprocess.run(argv, cwd=site.directory, env=clean_env(), check=True, capture_output=True, timeout=60)

    manage("startproject", "board", ".")
    site.write(running_tls_centre.url, wiki)
    settings = site.directory / "board/settings.py"
    settings.write_text(settings.read_text() + f"\nALLOWED_HOSTS = ['{site.host}']\n")
    manage("migrate")
    pem = running_tls_centre.certificate(site.host)
    argv = [sys.executable, "-m", "gunicorn", "-w", "2", "--no-control-socket", "-b", f"127.0.0.1:{site.port}"]
    with site.running([*argv, "--certfile", pem, "--keyfile", pem, "board.wsgi"], **env):
        yield site


def test_django_signs_in_stays_signed_in_and_is_signed_out_by_single_logout(
    tls_centre: TlsCentre, board: CasSite
) -> None:
    browser, who = tls_centre.browser(), tls_centre.centre.username
    assert visit(board, "/", browser, who) == f"Board of Alice Liddell ({who})"
    for _ in range(3):
        assert is_in(board, "/", browser)
    (session,) = tls_centre.centre.cli("session", "list", "--user", who)
    tls_centre.centre.cli("session", "end", session["sid"])
    wait_until(lambda: not is_in(board, "/", browser), why="Django to be told")
    wait_until(lambda: told(tls_centre.centre, who)["board"] == ["acknowledged"], why="the ledger to know")
    assert 'name="password"' in browser.open(board.base_url).text, "the centre asks again"


def test_django_accepts_a_ticket_once_and_none_of_another_site(
    tls_centre: TlsCentre, board: CasSite, wiki: CasSite
) -> None:
    browser = tls_centre.browser()
    visit(board, "/", browser, tls_centre.centre.username)
    sign_in = f"{board.base_url}/accounts/login?ticket="
    to_wiki = f"{tls_centre.url}/cas/login?{urlencode({'service': wiki.base_url + '/'})}"
    location = browser.http.get(to_wiki, allow_redirects=False, timeout=15).headers["Location"]
    for ticket in (ticket_of(browser), location.rpartition("ticket=")[2]):
        assert ticket.startswith("ST-")
        answer = tls_centre.browser().http.get(sign_in + ticket, allow_redirects=False, timeout=15)
        assert answer.status_code == 403


def test_a_sign_out_at_the_django_site_ends_the_session_and_comes_back(tls_centre: TlsCentre, board: CasSite) -> None:
    browser = tls_centre.browser()
    visit(board, "/", browser, tls_centre.centre.username)
    browser.open(f"{board.base_url}/accounts/logout")
    # Back at the site, which asks the centre again, which asks for the password.
    assert board.host in str(browser.hosts)
    assert 'name="password"' in browser.text
    assert tls_centre.centre.cli("session", "list", "--user", tls_centre.centre.username) == []


def test_django_fetches_a_proxy_ticket_until_the_session_is_over(
    tls_centre: TlsCentre, board: CasSite, wiki: CasSite
) -> None:
    browser, who = tls_centre.browser(), tls_centre.centre.username
    visit(board, "/", browser, who)
    service = f"{wiki.base_url}/api/"

    def validate(endpoint: str) -> str:
        ticket = browser.open(f"{board.base_url}/wiki-ticket").text
        assert ticket.startswith("PT-")
        url = f"{tls_centre.url}/cas/{endpoint}?{urlencode({'service': service, 'ticket': ticket})}"
        return requests.get(url, verify=tls_centre.ca_file, timeout=15).text

    answer = validate("proxyValidate")
    assert f"<cas:user>{who}</cas:user>" in answer
    assert f"<cas:proxy>{board.base_url}/accounts/callback</cas:proxy>" in answer
    assert "INVALID_TICKET_SPEC" in validate("serviceValidate"), "who takes no proxies, gets none"
    (session,) = tls_centre.centre.cli("session", "list", "--user", who)
    cookies = dict(browser.http.cookies.get_dict(domain=board.host))
    tls_centre.centre.cli("session", "end", session["sid"])
    over = requests.get(
        f"{board.base_url}/wiki-ticket",
        cookies=cookies,
        verify=tls_centre.ca_file,
        allow_redirects=False,
        timeout=15,
    )
    assert over.status_code in (302, 500), "either it was told already, or the centre gives it no ticket"
