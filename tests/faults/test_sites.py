"""The sites misbehave as they are told: seen by the centre's own sender."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sso_server.delivery.sender import GuardedSender
from tests.faults.site_server import LOGOUT_PATH, Answer, SiteConfig, SiteServer, behave
from tests.support.ports import free_port

EXPECTED = {
    "ok": (200, ""),
    "500": (500, ""),
    "429": (429, ""),
    "302": (302, ""),
    "400": (400, ""),
    "drop": (None, "reset"),
    "hang": (None, "timeout"),
    "drip": (None, "timeout"),
    "late": (None, "timeout"),
}


class _Works:
    """A site that counts its work."""

    def __init__(self) -> None:
        self.done = 0

    def logout(self, body: bytes, content_type: str) -> Answer:
        self.done += 1
        return 200, {}, b""

    def seed(self, sessions: list[dict[str, Any]]) -> Any:
        return None

    def probe(self, requests: list[dict[str, Any]]) -> list[int]:
        return []

    def more(self, path: str, document: Any) -> Any:
        return None


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[dict[str, tuple[SiteConfig, _Works]]]:
    """One for each behaviour."""
    with ExitStack() as stack:
        found = {}
        for name in EXPECTED:
            config = SiteConfig(name, name, "secret", "plain", "", free_port(), str(tmp_path / name), str(tmp_path))
            config.save()
            behave(Path(config.directory), do=name)
            app = _Works()
            server = stack.enter_context(SiteServer(config, app))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            found[name] = (config, app)
        yield found


def test_each_misbehaviour_is_what_the_centre_sees(sites: dict[str, tuple[SiteConfig, _Works]]) -> None:
    sender = GuardedSender(allow_loopback=True)

    def call(name: str) -> tuple[int | None, str]:
        url = f"http://127.0.0.1:{sites[name][0].port}{LOGOUT_PATH}"
        answer = sender.send(url, b"logout_token=x", {"Content-Type": "application/x-www-form-urlencoded"})
        return answer.status, answer.error

    with ThreadPoolExecutor(len(EXPECTED)) as pool:
        seen = dict(zip(EXPECTED, pool.map(call, EXPECTED), strict=True))
    sender.close()
    assert seen == EXPECTED
    assert {name for name, (_, app) in sites.items() if app.done} == {"ok", "late"}
