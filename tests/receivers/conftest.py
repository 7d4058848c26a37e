"""The two receivers of docs/receivers as real processes, each with a way to open local sessions and to count them."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.centre import Process, clean_env, wait_until
from tests.support.ports import free_port
from tests.support.services import find_node

ROOT = Path(__file__).parents[2]
RECEIVERS = ROOT / "docs/receivers"
HERE = Path(__file__).parent


@dataclass
class RunningReceiver:
    """A site without the SDK."""

    logout_uri: str
    sessions_url: str
    log: Path

    def open(self, **sessions: dict[str, str]) -> None:
        """Local sessions: cookie -> sid and sub."""
        requests.post(self.sessions_url, json=sessions, timeout=10)

    def sessions(self) -> dict[str, Any]:
        """The local sessions that are open."""
        found: dict[str, Any] = requests.get(self.sessions_url, timeout=10).json()
        return found

    def told(self, token: str) -> int:
        """The status that a logout call with this token gets."""
        return requests.post(self.logout_uri, data={"logout_token": token}, timeout=10).status_code


Start = Callable[[str, str, str], RunningReceiver]


@pytest.fixture(scope="module", params=["flask", pytest.param("node", marks=pytest.mark.node)])
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a receiver: start(issuer, client_id, jwks_uri)."""
    with contextlib.ExitStack() as stack:

        def run(issuer: str, client_id: str, jwks_uri: str) -> RunningReceiver:
            port, site_port = free_port(), free_port()
            env = {**clean_env(), "SSO_ISSUER": issuer, "SSO_CLIENT_ID": client_id, "SSO_JWKS_URI": jwks_uri}
            log = tmp_path_factory.mktemp(request.param) / "receiver.log"
            if request.param == "flask":
                argv = [sys.executable, "-m", "flask", "--app", str(HERE / "flask_site.py"), "run", "--port", str(port)]
                site_port = port
                env |= {"PYTHONPATH": os.pathsep.join([str(RECEIVERS), str(HERE)])}
            else:
                argv = [find_node() or "", str(HERE / "node_site.mjs")]
                env |= {
                    "RECEIVER": str(RECEIVERS / "node_receiver.mjs"),
                    "PORT": str(port),
                    "SITE_PORT": str(site_port),
                }
            process = Process(argv, env, log)
            process.start()
            stack.callback(process.stop)
            found = RunningReceiver(f"http://127.0.0.1:{port}/logout", f"http://127.0.0.1:{site_port}/sessions", log)

            def is_up() -> bool:
                assert process.popen is not None
                assert process.popen.poll() is None, log.read_text()
                return found.sessions() == {}

            wait_until(is_up, why="the receiver to answer")
            return found

        yield run
