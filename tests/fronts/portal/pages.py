"""A centre on a real SQLite file, people and sites in it, and a browser that fills in the portal's forms."""

import re
import shutil
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from werkzeug.test import TestResponse

from sso_server import config
from sso_server.app import create_app
from sso_server.core.clients import Client, site_client
from sso_server.core.consents import Wish
from sso_server.core.errors import Unavailable
from sso_server.core.sessions import Session
from sso_server.core.tickets import Issued, s256
from sso_server.core.users import User
from sso_server.web.services import Services
from tests.support.saved_work import small_hashes

PASSWORD = "correct horse battery"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"
STORE = "st-" + "a" * 32
VERIFIER = "v" * 43


def away(*_: object, **__: object) -> None:
    """In the place of any step of a store: it can't be reached."""
    raise Unavailable(detail="Redis: gone")


class Page:
    """An answer, and the fields of its forms."""

    def __init__(self, response: TestResponse) -> None:
        self.response = response
        self.status = response.status_code
        self.text = response.get_data(as_text=True)
        self.location = response.headers.get("Location", "")
        title = re.search(r"<title>(.*?)</title>", self.text, re.DOTALL)
        self.title = unescape(title.group(1)) if title else ""

    def form(self, action: str, holding: str = "") -> dict[str, str]:
        """The hidden and typed fields of the form with this action that contains `holding`."""
        for found in re.finditer(r"<form[^>]*action=\"([^\"]*)\"[^>]*>(.*?)</form>", self.text, re.DOTALL):
            if found.group(1).split("?")[0] == action and holding in found.group(2):
                tags = re.findall(r"<input[^>]*>", found.group(2))
                return {_attribute(t, "name"): unescape(_attribute(t, "value")) for t in tags if "checkbox" not in t}
        raise AssertionError(f"no form {action} with {holding!r} in {self.text}")

    def field(self, name: str) -> str:
        """The whole tag of an input."""
        return next(tag for tag in re.findall(r"<input[^>]*>", self.text, re.DOTALL) if _attribute(tag, "name") == name)


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'\s{name}="([^"]*)"', tag)
    return found.group(1) if found else ""


class Browser:
    """One browser, with its cookies."""

    def __init__(self, app: Flask, user_agent: str = FIREFOX, language: str = "en", address: str = "192.0.2.7") -> None:
        self.http = app.test_client()
        self.options: dict[str, Any] = {
            "headers": {"User-Agent": user_agent, "Accept-Language": language, "Accept": "text/html"},
            "environ_overrides": {"REMOTE_ADDR": address},
        }

    def get(self, path: str) -> Page:
        """Open an address."""
        return Page(self.http.get(path, **self.options))

    def post(self, path: str, **fields: str) -> Page:
        """Send fields as they are."""
        return Page(self.http.post(path, data=fields, **self.options))

    def submit(self, page: Page, action: str, _holding: str = "", **fields: str) -> Page:
        """Fill in a form and send it."""
        return self.post(action, **{**page.form(action, _holding), **fields})

    def sign_in(self, username: str, password: str = PASSWORD, path: str = "/sign-in", **fields: str) -> Page:
        """Open the sign-in page and fill it in."""
        return self.submit(self.get(path), "/sign-in", username=username, password=password, **fields)

    def cookie(self, name: str) -> str:
        """A cookie's value, or nothing."""
        found = self.http.get_cookie(name)
        return found.value if found else ""


@dataclass
class Centre:
    """The app, and shortcuts into its core."""

    app: Flask

    @property
    def services(self) -> Services:
        """The core."""
        return self.built.services  # type: ignore[no-any-return]

    @property
    def built(self) -> Any:
        """Everything wired."""
        return self.app.extensions["lockstep_built"]

    def browser(self, **options: str) -> Browser:
        """A new browser."""
        return Browser(self.app, **options)

    def add_user(self, username: str = "alice", name: str = "Alice Liddell") -> User:
        """An account with PASSWORD."""
        return self.services.accounts.add(username, PASSWORD, name=name, actor="test")

    def add_site(self, client_id: str = "shop", name: str = "Shop", **changes: Any) -> Client:
        """A registered site."""
        client = replace(site_client(client_id, name, f"https://{client_id}.example", 1), **changes)
        assert self.built.sql.clients.add(client)
        # The directory looks at the store's generation once a second.
        self.services.clients._checked_at = -1000
        return client

    def sessions(self, user: User) -> list[Session]:
        """Live sessions of a person."""
        return self.services.lists.list_live(self.services.clock.now(), 100, user_id=user.user_id)

    def session_of(self, browser: Browser) -> Session:
        """The one of its cookie, also when it is over."""
        found = self.services.sign_in.find_any_session(browser.cookie("lockstep_session"))
        assert found is not None
        return found

    def allow(self, user: User, client: Client, *scope: str) -> None:
        """The person says yes, to `openid` and to these."""
        self.services.consents.give(user.user_id, client, Wish(("openid", *scope)))

    def visit(self, session: Session, client: Client, store_id: str = STORE, *, scope: str = "openid") -> Issued:
        """The site redeems a ticket of this session."""
        uri = client.redirect_uris[0]
        code = self.services.tickets.issue(
            session, client, redirect_uri=uri, code_challenge=s256(VERIFIER), nonce="", scope=tuple(scope.split())
        )
        return self.services.tickets.redeem(code, client, redirect_uri=uri, code_verifier=VERIFIER, store_id=store_id)

    def asking(self, client: Client, *, asked_at: int | None = None, **params: str) -> str:
        """The address that the asking front sends the browser to."""
        payload = {
            "front": "/authorize/continue",
            "params": {
                "client_id": client.client_id,
                "redirect_uri": client.redirect_uris[0],
                "response_type": "code",
                "scope": "openid",
                "code_challenge": s256(VERIFIER),
                "code_challenge_method": "S256",
                **params,
            },
            "client_id": client.client_id,
            "asked_at": self.services.clock.now() if asked_at is None else asked_at,
        }
        return "/sign-in?" + urlencode({"request": self.services.seals.seal("sign-in", payload)})


def open_centre(directory: Path, database: Path, **settings: Any) -> Centre:
    """A centre whose database is a copy of a migrated one."""
    directory.mkdir(mode=0o700)
    shutil.copy(database, directory / "lockstep.sqlite3")
    with small_hashes():
        return Centre(create_app(config.load({}, data_dir=directory, hash_memory_kib=8192, **settings)))
