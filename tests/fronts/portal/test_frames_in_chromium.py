"""Frames in a real Chromium: with third-party cookies, as browsers used to be, and without, as most are now. What works
in which is what docs/frontchannel.md says.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
import requests
from flask import Request, Response
from werkzeug.serving import make_server

from sso_server.core.client_metadata import ClientMetadata
from sso_server.core.clients import ClientSecret
from sso_server.core.identifiers import digest
from sso_server.core.tickets import s256
from tests.fronts.portal.pages import PASSWORD, VERIFIER, Centre, open_centre
from tests.fronts.portal.shown import LANGUAGES, Eye
from tests.support.chromium import ARGUMENTS
from tests.support.ports import free_port
from tests.support.services import find_chromium

pytestmark = [pytest.mark.browser, pytest.mark.engines, pytest.mark.slow]

_BLOCKED = "--test-third-party-cookie-phaseout"
_SECRET = "shop-secret-" + "s" * 32
#: A site's page with the provider's frame, and a way to ask it.
_ASKING = """<!doctype html><title>asking</title><iframe name="op" src="{centre}/check-session"></iframe>
<script>
  window.said = [];
  addEventListener("message", (event) => said.push([event.data, event.origin]));
  window.ask = (text) => frames["op"].postMessage(text, "{centre}");
</script>"""
#: A page that lies in another site's page beside the provider's frame, and asks in its name.
_BESIDE = """<!doctype html><title>beside</title><script>
  addEventListener("message", (event) => parent.postMessage("heard " + event.data, "*"));
  parent.frames["op"].postMessage({text!r}, "*");
</script>"""


@dataclass
class Site:
    """A site without our SDK. `out`: what its page for front-channel logout was asked, and whether its cookie came."""

    port: int = 0
    pages: dict[str, str] = field(default_factory=dict)
    out: list[tuple[dict[str, list[str]], bool]] = field(default_factory=list)
    hangs: bool = False

    @property
    def home(self) -> str:
        return f"http://localhost:{self.port}/"

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        response = Response(self.pages.get(request.path, "<!doctype html><title>here</title>"), mimetype="text/html")
        if request.path == "/cb":
            response.set_cookie("local", "alice", secure=True, samesite="None")
        if request.path == "/out":
            self.out.append((parse_qs(request.query_string.decode()), "local" in request.cookies))
            deadline = time.monotonic() + 20
            while self.hangs and time.monotonic() < deadline:
                time.sleep(0.05)
        return response(environ, start_response)


@contextmanager
def served(application: Any, port: int = 0) -> Iterator[int]:
    server = make_server("127.0.0.1", port, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Scene:
    """A centre with everything switched on, and a site: to browsers they are two sites."""

    centre: Centre
    issuer: str
    site: Site

    @property
    def request(self) -> str:
        """Where the site sends alice."""
        query = {"client_id": "shop", "redirect_uri": self.site.home + "cb", "response_type": "code", "nonce": "n"}
        query |= {"scope": "openid", "code_challenge": s256(VERIFIER), "code_challenge_method": "S256"}
        return f"{self.issuer}/authorize?{urlencode(query)}"

    def sign_in(self, page: Any, *, there: bool = False) -> dict[str, str]:
        """Alice comes to the site: the answer that it got, and the ID token. `there`: she is at the centre already."""
        if not there:
            page.goto(self.request)
        page.fill("#username", "alice")
        page.fill("#password", PASSWORD)
        page.locator("main form button").first.click()
        page.wait_for_url(self.site.home + "cb?*")
        answer = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
        form = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": self.site.home + "cb"}
        form["code_verifier"] = VERIFIER
        tokens = requests.post(self.issuer + "/token", data=form, auth=("shop", _SECRET), timeout=10)
        return answer | {"id_token": tokens.json()["id_token"]}

    def sign_out(self, page: Any, id_token: str) -> None:
        """The site sends the browser to sign out; it is back when this returns."""
        query = {"id_token_hint": id_token, "post_logout_redirect_uri": self.site.home + "bye", "state": "the state"}
        page.goto(f"{self.issuer}/end-session?{urlencode(query)}")
        page.wait_for_url(self.site.home + "bye?state=the+state", timeout=15_000)

    def asks(self, page: Any, text: str) -> str:
        """What the provider's frame answers to the page that has it."""
        page.evaluate("said.length = 0")
        page.evaluate("text => ask(text)", text)
        page.wait_for_function("said.length > 0")
        ((answer, origin),) = page.evaluate("said")
        assert origin == self.issuer
        return str(answer)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Scene]:
    port, site = free_port(), Site()
    issuer = f"http://127.0.0.1:{port}"
    directory = tmp_path_factory.mktemp("frames") / "centre"
    centre = open_centre(directory, migrated, issuer=issuer, frontchannel_logout=True, session_management=True)
    centre.add_user()
    with served(site) as site.port, served(centre.app, port):
        site.pages["/asking"] = _ASKING.format(centre=issuer)
        centre.add_site(
            "shop", "Shop", base_url="", backchannel_logout_uri="", redirect_uris=(site.home + "cb",),
            post_logout_redirect_uris=(site.home + "bye",), secrets=(ClientSecret(digest(_SECRET)),),
            metadata=ClientMetadata(frontchannel_logout_uri=site.home + "out"),
        )  # fmt: skip
        yield Scene(centre, issuer, site)
    centre.built.close()


@pytest.fixture
def opened(scene: Scene, playwright: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """`opened(blocked=True)`: a page of a browser with or without third-party cookies."""
    scene.site.out.clear()
    with ExitStack() as contexts:

        def start(*, blocked: bool, javascript: bool = True) -> Any:
            # What a person can choose in the settings: third-party cookies are allowed (0).
            profile = tmp_path / "profile" / "Default"
            profile.mkdir(parents=True)
            if not blocked:
                (profile / "Preferences").write_text('{"profile": {"cookie_controls_mode": 0}}', encoding="utf-8")
            context = playwright.chromium.launch_persistent_context(
                str(profile.parent),
                executable_path=find_chromium(),
                args=[one for one in ARGUMENTS if one != _BLOCKED or blocked],
                java_script_enabled=javascript,
            )
            contexts.callback(context.close)
            context.set_default_timeout(15_000)
            return context.new_page()

        yield start


@pytest.mark.covers("oidcc-frontchannel-rp-initiated-logout", "line-126")
@pytest.mark.parametrize("blocked", [False, True], ids=["third-party cookies", "none"])
def test_oidcc_frontchannel_rp_initiated_logout(scene: Scene, opened: Callable[..., Any], blocked: bool) -> None:
    page = opened(blocked=blocked)
    signed_in = scene.sign_in(page)
    sid = jwt.decode(signed_in["id_token"], options={"verify_signature": False})["sid"]
    # No two seconds here: that the frame is loaded is what takes the browser on.
    page.add_init_script("window.setTimeout = () => 0;")
    scene.sign_out(page, signed_in["id_token"])
    # The frame is loaded in either browser; the site's own cookie, by which it knows its visitor, comes in one alone.
    assert scene.site.out == [({"iss": [scene.issuer], "sid": [sid]}, not blocked)]
    page.goto(scene.request + "&prompt=none")
    assert "error=login_required" in page.url


def test_a_site_that_hangs_keeps_nobody(scene: Scene, opened: Callable[..., Any]) -> None:
    page = opened(blocked=False)
    signed_in = scene.sign_in(page)
    scene.site.hangs = True
    try:
        begun = time.monotonic()
        scene.sign_out(page, signed_in["id_token"])
        assert 1.5 < time.monotonic() - begun < 15
    finally:
        scene.site.hangs = False
    assert len(scene.site.out) == 1


def test_without_script_the_page_loads_the_frames_and_goes_on(scene: Scene, opened: Callable[..., Any]) -> None:
    page = opened(blocked=True, javascript=False)
    scene.sign_out(page, scene.sign_in(page)["id_token"])
    assert len(scene.site.out) == 1


@pytest.mark.covers("oidcc-session-management-rp-initiated-logout", "line-89")
def test_oidcc_session_management_rp_initiated_logout(scene: Scene, opened: Callable[..., Any]) -> None:
    page = opened(blocked=False)
    signed_in = scene.sign_in(page)
    question = f"shop {signed_in['session_state']}"
    page.goto(scene.site.home + "asking")
    assert scene.asks(page, question) == "unchanged"
    assert scene.asks(page, f"wiki {signed_in['session_state']}") == "changed"
    for malformed in ("", "shop", "shop x.y", question + " more", "shop " + "0" * 64):
        assert scene.asks(page, malformed) == "error"

    # Another site learns nothing by the same question, neither in its own page nor in a frame of this one.
    elsewhere = scene.site.home.replace("localhost", "elsewhere.localhost")
    page.goto(elsewhere + "asking")
    assert scene.asks(page, question) == "changed"
    scene.site.pages["/beside"] = _BESIDE.format(text=question)
    beside = f'<iframe src="{elsewhere}beside"></iframe>'
    scene.site.pages["/both"] = _ASKING.format(centre=scene.issuer).replace("</iframe>", f"</iframe>{beside}", 1)
    page.goto(scene.site.home + "both")
    page.evaluate("url => { document.querySelectorAll('iframe')[1].src = url + 'beside?again'; }", elsewhere)
    page.wait_for_function("said.length > 0")
    assert {answer for answer, _ in page.evaluate("said")} == {"heard error"}

    scene.sign_out(page, signed_in["id_token"])
    page.goto(scene.site.home + "asking")
    assert scene.asks(page, question) == "changed"


def test_where_frames_are_kept_from_cookies_the_frame_says_so_and_nobody_is_sent_to_sign_in(
    scene: Scene, opened: Callable[..., Any]
) -> None:
    page = opened(blocked=True)
    signed_in = scene.sign_in(page)
    page.goto(scene.site.home + "asking")
    assert scene.asks(page, f"shop {signed_in['session_state']}") == "error"


def test_a_site_signs_somebody_in_by_a_popup_that_answers_it(scene: Scene, opened: Callable[..., Any]) -> None:
    scene.site.pages["/waits"] = """<!doctype html><title>waits</title><script>
      window.said = [];
      addEventListener("message", (event) => said.push(event.data));
    </script>"""
    scene.site.pages["/cb"] = "<!doctype html><title>cb</title><script>opener.postMessage(location.href, '*');</script>"
    page = opened(blocked=True)
    page.goto(scene.site.home + "waits")
    with page.expect_popup() as opening:
        page.evaluate("url => { window.popup = window.open(url, '', 'popup'); }", scene.request)
    opening.value.wait_for_url("**/sign-in?*")
    assert not page.evaluate("popup.closed")
    answer = scene.sign_in(opening.value, there=True)
    page.wait_for_function("said.length > 0")
    assert f"code={answer['code']}" in page.evaluate("said[0]")
    del scene.site.pages["/cb"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_with_frames_offends_no_eye(scene: Scene, chromium: Any, language: str) -> None:
    eye = Eye(chromium, scene.issuer, language)
    id_token = scene.sign_in(eye.page)["id_token"]
    # Without its script it stays, for three seconds.
    eye.page.route("**/static/frames.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    eye.look("signed-out-frames", "/end-session?" + urlencode({"id_token_hint": id_token, "client_id": "shop"}))
    assert eye.page.url.startswith(f"{scene.issuer}/signed-out/sites?")
    eye.context.close()
    assert eye.objections == []
