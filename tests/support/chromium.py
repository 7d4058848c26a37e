"""Debian's Chromium driven by playwright: third-party cookies blocked, every cookie on the wire written down."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--test-third-party-cookie-phaseout",
    # Nothing but this machine: a page that asked for anything else would fail.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost",
]


class CookieWatch:
    """Which cookie each host set, and which cookies each host was sent."""

    def __init__(self, context: Any) -> None:
        self.sent: dict[str, set[str]] = defaultdict(set)
        self.set_by: dict[str, set[str]] = defaultdict(set)
        context.on("requestfinished", self._note)

    def _note(self, request: Any) -> None:
        host = urlsplit(request.url).netloc
        for header in request.headers_array():
            if header["name"].lower() == "cookie":
                self.sent[host] |= {c.strip() for c in header["value"].split(";")}
        response = request.response()
        if response is not None:
            for header in response.headers_array():
                if header["name"].lower() == "set-cookie":
                    self.set_by[host].add(header["value"].split(";")[0].strip())

    def strays(self) -> list[tuple[str, str]]:
        """(cookie, host) for every cookie that went to a host whose name differs from the one that set it."""
        found = []
        for host, cookies in self.sent.items():
            for cookie in cookies:
                setters = {h for h, values in self.set_by.items() if cookie in values}
                if setters and host.split(":")[0] not in {h.split(":")[0] for h in setters}:
                    found.append((cookie.split("=")[0], host))
        return found


@contextmanager
def chromium(directory: Path, *, javascript: bool = True, **options: Any) -> Iterator[tuple[Any, CookieWatch]]:
    """A browser context with a fresh profile, and the watch on its cookies."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(directory),
            executable_path=shutil.which("chromium"),
            headless=True,
            args=ARGUMENTS,
            java_script_enabled=javascript,
            **{"locale": "en-GB", "viewport": {"width": 1100, "height": 760}, **options},
        )
        context.set_default_timeout(15_000)
        try:
            yield context, CookieWatch(context)
        finally:
            context.close()
