"""Sites of docs/cas-clients.md as their reader runs them: the page's own files, with the addresses of this run."""

from __future__ import annotations

import re
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.browser import Browser
from tests.support.centre import PASSWORD, Centre, Process, clean_env, wait_until
from tests.support.doc_pages import commands, write_files
from tests.support.ports import free_port

PAGE = "cas-clients.md"
CENTRE = "https://sso.example.org"


@dataclass
class CasSite:
    """One site of the page: `wiki` stands for https://wiki.example.org there. A host of its own, as cookies want it."""

    name: str
    directory: Path
    scheme: str = "http"
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        """Nothing is registered, nothing runs."""
        self.host = f"{self.name}.localhost"
        self.base_url = f"{self.scheme}://{self.host}:{self.port}"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log = self.directory / "site.log"

    def write(self, centre_url: str, *others: CasSite, **replaced: str) -> None:
        """The page's files; `replaced` are further words of the page and what stands for them here."""
        write_files(PAGE, self.directory)
        words = {CENTRE: centre_url, **{f"https://{site.name}.example.org": site.base_url for site in (self, *others)}}
        for path in self.directory.rglob("*"):
            if path.suffix in (".py", ".conf", ".php"):
                text = path.read_text(encoding="utf-8")
                for word, here in {**words, **replaced}.items():
                    text = text.replace(word, here)
                path.write_text(text, encoding="utf-8")

    @contextmanager
    def running(self, argv: list[str], **env: str) -> Iterator[CasSite]:
        """A process that listens on the site's port; stopped at the end."""
        process = Process(argv, {**clean_env(), **env}, self.log, cwd=self.directory)
        process.start()

        def listens() -> bool:
            assert process.popen is not None
            assert process.popen.poll() is None, self.log.read_text()[-3000:]
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True

        try:
            wait_until(listens, why=f"{self.name} to listen")
            yield self
        finally:
            process.stop()

    def flask(self, module: str) -> list[str]:
        """What starts a Flask site."""
        return [sys.executable, "-m", "flask", "--app", module, "run", "--port", str(self.port)]

    def register(self, centre: Centre, like: str = "") -> None:
        """By the page's command for this site, or for the one that it is like."""
        shown = like or self.name
        (command,) = (text for text in commands(PAGE) if text.startswith(f"sso client add {shown} "))
        command = command.replace(f"https://{shown}.example.org", self.base_url).replace("\\\n", "")
        words = shlex.split(command)[1:]
        centre.cli(*(self.name if word == shown else word for word in words))


def visit(site: CasSite, path: str, browser: Browser, username: str = "") -> str:
    """Open a page; whoever is named fills in the centre's page on the way, else nobody asks. The page's text."""
    browser.open(site.base_url + path)
    if username:
        browser.sign_in(username, PASSWORD)
    assert browser.url == site.base_url + path, (browser.url, browser.text[:300])
    assert browser.page.status_code == 200, browser.text[:300]
    return browser.text


def is_in(site: CasSite, path: str, browser: Browser) -> bool:
    """Whether the site lets the browser in without sending it to the centre."""
    answer = browser.http.get(site.base_url + path, allow_redirects=False, timeout=15)
    assert answer.status_code in (200, 302, 303), answer.text[:300]
    return answer.status_code == 200


def ticket_of(browser: Browser) -> str:
    """The last service ticket that came through the browser."""
    found = re.findall(r"[?&]ticket=(ST-[A-Za-z0-9-]+)", " ".join(r.url for r in browser.page.history))
    assert found, [r.url for r in browser.page.history]
    return str(found[-1])


def told(centre: Centre, username: str) -> dict[str, list[str]]:
    """What became of the notifications of this person's last ended session: client -> states."""
    latest = next(one for one in centre.cli("signout", "list") if one.get("username", username) == username)
    states: dict[str, list[str]] = {}
    for row in centre.cli("signout", "show", latest["sid"])["notifications"]:
        states.setdefault(row["client_id"], []).append(row["state"])
    return states
