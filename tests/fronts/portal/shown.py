"""A centre in use, served on a socket for a real Chromium, and the eye that looks at its pages."""

import threading
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from sso_server.core.check_in import CheckIn
from sso_server.core.client_metadata import ClientMetadata
from sso_server.core.clients import CAS
from sso_server.core.notifications import Answer, after_answer
from tests.fronts.portal.pages import FIREFOX, STORE, Browser, Centre

ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "portal"
INSPECT = Path(__file__).with_name("inspect_page.js").read_text(encoding="utf-8")
LANGUAGES = ("en", "zh-CN")
#: A small telephone and a desktop, by day and by night: what a style sheet tells apart without another visit.
LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (320, 1200)]
#: A third party with all that one may say of itself, and more words than a page has room for.
PHOTOS = "Urlaubsbilder-und-Familienalbum-Gemeinschaftsverwaltung"
OTHERS = ClientMetadata(
    third_party=True,
    logo_uri="https://cdn.photos.example/logo.svg",
    policy_uri="https://photos.example/privacy",
    tos_uri="https://photos.example/terms",
    client_uri="https://photos.example/",
)


class Shown:
    """A centre in use, served on a socket."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self.server = make_server("127.0.0.1", 0, centre.app, threaded=True)
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        centre.add_user()
        self.clients = [centre.add_site(id_, name) for id_, name in (("shop", "Shop"), ("wiki", "Team-Wiki"))]
        self.clients.append(centre.add_site("legacy", "Urlaubs- und Abwesenheitsverwaltung", backchannel_logout_uri=""))
        self.clients.append(centre.add_site("mail", "邮件"))
        self.others = centre.add_site("photos", PHOTOS, metadata=OTHERS)
        address, same = ("https://urlaubsbilder.verein.example/cb",), self.others.redirect_uris
        self.alike = [
            centre.add_site(f"photos-{number}", PHOTOS, redirect_uris=uris, metadata=OTHERS)
            for number, uris in enumerate((address, same))
        ]
        centre.add_site(
            "library", "University Library", kind=CAS, redirect_uris=(), post_logout_redirect_uris=(), base_url="",
            backchannel_logout_uri="", cas_services=("https://library.example/",),
        )  # fmt: skip

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.centre.built.close()

    def sign_in(self, agent: str = FIREFOX) -> Browser:
        """Alice on a device of hers, with sites opened."""
        browser = self.centre.browser(user_agent=agent, address="2001:db8:85a3:8d3:1319:8a2e:370:7348")
        browser.sign_in("alice")
        alice = self.centre.services.accounts.get("alice")
        newest = max(self.centre.sessions(alice), key=lambda session: session.created_at)
        for client, store in zip(self.clients, (STORE, "", "", STORE), strict=True):
            self.centre.visit(newest, client, store)
        return browser

    def report(self, *, finished: bool, scope: str = "here") -> str:
        """The address of a report in which every standing occurs, or of a finished one."""
        here = self.centre.services
        for client in (self.clients[0], self.clients[3]):
            here.check_ins.check_in(client, CheckIn(STORE, None, (), (), (), None))
        browser = self.sign_in()
        location = browser.submit(browser.get("/sign-out"), "/sign-out", scope=scope).location
        now = here.clock.now()
        rows = self.centre.built.sql.outbox.claim("test", now, 100, 30_000)
        answers = {"shop": 200, "wiki": 200 if finished else 503, "mail": 200 if finished else 503}
        told = [after_answer(row, Answer(answers.get(row.client_id, 200)), now, lambda: 0.5) for row in rows]
        self.centre.built.sql.outbox.record(told, now)
        return location


class Eye:
    """One browser in one language. Of each page it keeps a picture in every look, and what it objects to."""

    def __init__(self, chromium: Any, base: str, language: str) -> None:
        self.base = base
        self.language = language
        self.context = chromium.new_context(locale=language, user_agent=FIREFOX)
        self.page = self.context.new_page()
        self.objections: list[str] = []

    def look(self, name: str, path: str = "") -> None:
        """Look at the page, or at the one with this path."""
        if path:
            self.page.goto(self.base + path)
        for scheme, width in LOOKS:
            self.page.emulate_media(color_scheme=scheme)
            self.page.set_viewport_size({"width": width, "height": 640 if width < 600 else 800})
            suffix = f"{self.language}-{scheme}-{width}"
            self.page.screenshot(path=ARTIFACTS / f"{name}-{suffix}.png", full_page=True)
            self.objections.extend(f"{name}-{suffix}: {found}" for found in self.page.evaluate(INSPECT))

    def press(self, name: str = "") -> None:
        """The first button of the page, or of those that match."""
        self.page.locator(f"main button{name}").first.click()

    def sign_in(self, username: str, password: str) -> None:
        """Fill in the form."""
        self.page.goto(self.base + "/sign-in")
        self.page.fill("#username", username)
        self.page.fill("#password", password)
        self.press()
        self.page.wait_for_url(self.base + "/")
