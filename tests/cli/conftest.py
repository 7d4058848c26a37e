"""The `sso` command on real SQLite, in this process through click's runner, and a person who is signed in at a site."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sso_server import config, wiring
from sso_server.cli import main
from sso_server.core.identifiers import BROWSER
from sso_server.core.sign_in import Visitor
from sso_server.core.tickets import s256
from tests.support.saved_work import small_hashes

PASSWORD = "correct horse battery"
STORE = "st-" + "a" * 32


@dataclass
class Sso:
    """Runs `sso ARGS` with settings of its own."""

    env: dict[str, str]

    def run(self, *args: str, stdin: str | None = None, code: int = 0) -> Result:
        """The result; its exit code is checked."""
        with small_hashes():
            result = CliRunner().invoke(main, list(args), input=stdin, env=self.env)
        assert result.exit_code == code, (result.output, result.stderr, result.exception)
        return result

    def process(self, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """The same as a process of its own."""
        command = [Path(sys.executable).with_name("sso"), *args]
        env = {**os.environ, **self.env}
        return subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, timeout=180, check=False)

    def json(self, *args: str, stdin: str | None = None) -> Any:
        """The answer of `sso ARGS --json`."""
        return json.loads(self.run(*args, "--json", stdin=stdin).stdout)

    def built(self) -> wiring.Built:
        """The centre's parts on the same data."""
        return wiring.build(config.load(self.env))


def settings_at(data: Path) -> dict[str, str]:
    """With cheap password hashes."""
    return {"SSO_DATA_DIR": str(data), "SSO_HASH_MEMORY_KIB": "8192", "SSO_LOG_FORMAT": "json"}


#: These tell of a centre that is there already. The others' first command is the first one, and makes the schema.
NOT_THE_FIRST = (
    "test_cas_clients", "test_cas_views", "test_client_file", "test_client_metadata", "test_client_trial",
    "test_clients", "test_polling_clients", "test_receipt", "test_registration_tokens", "test_sessions",
    "test_tokens_for_apis", "test_users",
)  # fmt: skip


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as the first command leaves it: to copy it takes a hundredth of the time that it took."""
    data = tmp_path_factory.mktemp("begun") / "data"
    Sso(settings_at(data)).run("user", "list")
    return data


@pytest.fixture
def sso(request: pytest.FixtureRequest, tmp_path: Path, begun: Path) -> Sso:
    """With nobody and nothing in it; on an empty data directory that doesn't exist yet, but for NOT_THE_FIRST."""
    if request.module.__name__.rpartition(".")[2] in NOT_THE_FIRST:
        shutil.copytree(begun, tmp_path / "data")
    return Sso(settings_at(tmp_path / "data"))


@dataclass(frozen=True)
class SignedIn:
    """A session that opened one site, with what the site got."""

    sid: str
    ticket: str
    access_token: str
    refresh_token: str


def sign_in_at(built: wiring.Built, username: str, client_id: str, store_id: str = "") -> SignedIn:
    """Signs somebody in at a registered site, as browser and site would; with a `store_id` the site has the SDK."""
    services = built.services
    visitor = Visitor(
        browser_id=services.randomness.identifier(BROWSER, services.randomness.bucket()),
        address="192.0.2.7",
        user_agent="Firefox",
        known_mark="",
    )
    session = services.sign_in.open(services.accounts.get(username), visitor, remember=False).session
    client = services.clients.find(client_id)
    assert client is not None
    verifier = "v" * 43
    ticket = services.tickets.issue(
        session,
        client,
        redirect_uri=client.redirect_uris[0],
        code_challenge=s256(verifier),
        nonce="",
        scope=("openid",),
    )
    issued = services.tickets.redeem(
        ticket, client, redirect_uri=client.redirect_uris[0], code_verifier=verifier, store_id=store_id
    )
    return SignedIn(session.sid, ticket, issued.access_token, issued.refresh_token)


@pytest.fixture
def sign_in(sso: Sso) -> Iterator[Callable[..., SignedIn]]:
    """`sign_in_at` with parts of its own, which stay open beside what the test does."""
    opened: list[wiring.Built] = []

    def do(username: str, client_id: str, store_id: str = "") -> SignedIn:
        opened.append(sso.built())
        return sign_in_at(opened[-1], username, client_id, store_id)

    yield do
    for built in opened:
        built.close()
