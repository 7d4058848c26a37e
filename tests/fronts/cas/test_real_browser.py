"""A real Chromium between the centre and a CAS site: what only a browser can get wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
from flask import Request, Response
from werkzeug.serving import make_server

from tests.fronts.cas.conftest import add_service
from tests.fronts.cas.validating import running
from tests.support.centre import wait_until
from tests.support.chromium import chromium
from tests.support.oidc_site import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Site:
    """A site that writes down how its visitors come, and shows the pages of a test."""

    def __init__(self) -> None:
        self.visits: list[tuple[str, str, dict[str, list[str]], str]] = []
        self.pages: dict[str, str] = {}
        self.redirects: dict[str, str] = {}
        self.sign_outs: list[str] = []
        """What `/cas/logout` was fetched for, as browsers say."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        query, body = parse_qs(request.query_string.decode()), request.get_data(as_text=True)
        if request.path != "/favicon.ico":
            self.visits.append((request.method, request.path, query, body))
        if request.path in self.redirects:
            return Response(status=303, headers={"Location": self.redirects[request.path]})(environ, start_response)
        page = self.pages.get(request.path, f"<title>{request.path}</title><p>Here we are.")
        return Response(page, content_type="text/html")(environ, start_response)


@contextmanager
def served(application: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def site() -> Site:
    return Site()


@pytest.fixture(scope="module")
def started(prepared: Path, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str, str]]:
    """A browser, the centre's address, and the site's: another site to browsers than the centre is."""

    def watched(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/cas/logout":
            site.sign_outs.append(environ.get("HTTP_SEC_FETCH_DEST", ""))
        return app(environ, start_response)

    directory = tmp_path_factory.mktemp("browser")
    with (
        running(prepared, directory) as app,
        served(watched) as centre,
        served(site) as where,
        chromium(directory / "profile") as (context, _),
    ):
        service = f"http://localhost:{where.rpartition(':')[2]}/"
        add_service(app, "notes", service)
        yield context, f"http://{centre}", service


@pytest.fixture
def opened(started: tuple[Any, str, str]) -> Iterator[tuple[Any, str, str]]:
    """A page of that browser, in which nobody is signed in."""
    context, centre, service = started
    context.clear_cookies()
    page = context.new_page()
    yield page, centre, service
    page.close()


def complaints_of(page: Any) -> list[str]:
    """What the browser objects to, from here on."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    return said


def sign_in(page: Any) -> None:
    page.fill("#username", "alice")
    page.fill("#password", PASSWORD)
    page.locator("main form button").click()


def test_a_person_goes_to_a_site_and_back_without_the_browser_objecting(opened: Any, site: Site) -> None:
    page, centre, service = opened
    complaints = complaints_of(page)

    # The form's redirects end at the site: the page's own policy must let them.
    page.goto(f"{centre}/cas/login?service={quote(service + 'in?a=1#top')}")
    sign_in(page)
    page.wait_for_url(f"{service}in?a=1&ticket=ST-*")
    method, _, query, body = site.visits[-1]
    assert (method, query["a"], body) == ("GET", ["1"], "")
    assert PASSWORD not in repr(site.visits)

    # By POST the page sends itself, once; whoever goes back from the site isn't thrown forward again.
    page.goto(service + "start")
    page.goto(f"{centre}/cas/login?method=POST&service={quote(service + 'posted?b=2')}")
    page.wait_for_url(f"{service}posted?b=2")
    method, _, query, body = next(v for v in reversed(site.visits) if v[1] == "/posted")
    assert (method, query, body.startswith("ticket=ST-")) == ("POST", {"b": ["2"]}, True)
    page.go_back()
    page.wait_for_url(service + "start")
    assert sum(v[1] == "/posted" for v in site.visits) == 1

    # Asked for the password once more, with the wish to be asked first from now on.
    page.goto(f"{centre}/cas/login?renew=true&service={quote(service + 'again')}")
    page.get_by_label("Ask me before other sites sign me in").check()
    sign_in(page)
    page.wait_for_url(f"{service}again?ticket=ST-*")
    page.goto(f"{centre}/cas/login?service={quote(service + 'asked')}")
    page.wait_for_url(f"{centre}/go-on?*")
    page.get_by_role("button", name="Go on as Alice").click()
    page.wait_for_url(f"{service}asked?ticket=ST-*")
    assert complaints == []


def test_a_site_may_send_the_browser_on_to_another_origin(opened: Any, site: Site) -> None:
    page, centre, service = opened
    complaints, elsewhere = complaints_of(page), service.replace("localhost", "elsewhere.localhost")
    # Chromium holds the page's policy against every redirect that follows its form, the site's own ones, too.
    site.redirects |= {"/taken": elsewhere + "home", "/taken-by-post": elsewhere + "home-by-post"}
    page.goto(f"{centre}/cas/login?service={quote(service + 'taken')}")
    sign_in(page)
    page.wait_for_url(elsewhere + "home")
    page.goto(f"{centre}/cas/login?method=POST&service={quote(service + 'taken-by-post')}")
    page.wait_for_url(elsewhere + "home-by-post")
    assert complaints == []


def test_only_going_there_signs_out(opened: Any, site: Site) -> None:
    page, centre, service = opened
    # The same site as the centre to browsers (ports don't count), so that cookies come along with pictures and frames.
    neighbour = service.replace("localhost", "127.0.0.1")
    logout = f"{centre}/cas/logout?service={quote(service)}"
    site.pages["/trap"] = (
        f'<a href="{logout}">Bye</a><img src="{logout}"><iframe src="{logout}"></iframe>'
        f'<link rel="prefetch" href="{logout}"><script>fetch("{logout}", {{mode: "no-cors", credentials: "include"}})'
        "</script>"
    )
    page.goto(f"{centre}/cas/login?service={quote(service)}")
    sign_in(page)
    page.wait_for_url(f"{service}?ticket=*")
    page.goto(neighbour + "trap")
    wait_until(lambda: len(site.sign_outs) >= 4, why="picture, frame, script and prefetch to have tried")
    assert {"image", "iframe", "empty"} == set(site.sign_outs)
    page.goto(f"{centre}/cas/login?gateway=true&service={quote(service)}")
    assert "ticket=ST-" in page.url

    page.goto(neighbour + "trap")
    page.get_by_role("link", name="Bye").click()
    page.wait_for_url(service)
    page.goto(f"{centre}/cas/login?gateway=true&service={quote(service)}")
    assert page.url == service
