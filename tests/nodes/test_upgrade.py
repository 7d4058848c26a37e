"""The version before this one and this one side by side: people notice nothing on the way to the new one, and there is
a way back.

The older version is taken from this repository's own history, with the packages that it was pinned to.
"""

import contextlib
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import NO_HISTORY
from tests.nodes.farm import Farm, Node, make_farm, shared_settings, stop_quietly
from tests.nodes.people import busy
from tests.nodes.test_journey import code_of, redeem
from tests.nodes.test_rolling_restart import check_accounts
from tests.support.centre import PASSWORD, clean_env, wait_until
from tests.support.postgres import Postgres
from tests.support.relying_party import RelyingParty
from tests.support.services import running_redis
from tests.support.sinks import Sink

#: The last commit of the version before, and the newest revision of its schema.
OLDER, OLDER_SCHEMA = "7a8ab6bc75c9", "0003"
_ROOT = Path(__file__).parents[2]
_FOLDERS_AND_FILES = ("sso_server", "sso_client", "pyproject.toml", "constraints.txt")


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the older version's program and its Python."""
    directory = tmp_path_factory.mktemp("older")
    archive = directory / "older.tar"
    git = ["git", "-C", str(_ROOT), "archive", "--output", str(archive), OLDER, *_FOLDERS_AND_FILES]
    try:
        done = subprocess.run(git, capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError:
        pytest.skip("git is not installed: the older version can't be taken from the history")
    if done.returncode:
        # Not even in CI a failure (tests/conftest.py): nothing that could be installed would help.
        pytest.skip(f"{NO_HISTORY} to {OLDER} (a shallow clone, or an unpacked archive)")
    subprocess.run(["tar", "-xf", str(archive), "-C", str(directory)], check=True, timeout=60)
    _install_packages(directory)
    return directory


def _install_packages(directory: Path) -> None:
    """What the version in this directory needs, in a virtual environment of its own."""
    project = tomllib.loads((directory / "pyproject.toml").read_text())["project"]
    extras = (project["optional-dependencies"][extra] for extra in ("server", "redis", "postgres"))
    needed = [*project["dependencies"], *(one for extra in extras for one in extra)]
    python = _python(directory)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory / "venv")], check=True, timeout=60)
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--constraint", str(directory / "constraints.txt"), *needed], check=True, timeout=300)


def _python(directory: Path) -> str:
    return str(directory / "venv/bin/python")


@dataclass
class OlderFarm(Farm):
    """Accounts and sites are added by the older version: the schema is still its own."""

    program: Path = _ROOT

    def sso(self, *args: str, stdin: str = "") -> Any:
        """`sso ... --json` of the older version."""
        env = {**clean_env(), **self.settings, "SSO_DATA_DIR": str(self.directory / "cli")}
        command = [_python(self.program), "-m", "sso_server.cli", *args, "--json"]
        done = subprocess.run(
            command, cwd=self.program, env=env, input=stdin, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def add_user(self, username: str) -> None:
        """An account with PASSWORD."""
        self.sso("user", "add", username, "--password-stdin", stdin=PASSWORD)

    def let_poll(self, client_id: str) -> None:
        """This site isn't called, it asks."""
        self.sso("client", "update", client_id, "--delivery", "poll")

    def add_party(self, client_id: str, logout_uri: str = "") -> RelyingParty:
        """An OpenID Connect site without the SDK."""
        redirect_uri = f"https://{client_id}.example/callback"
        options = ["--redirect-uri", redirect_uri, "--id-token-alg", "ES256"]
        options += ["--backchannel-logout-uri", logout_uri] if logout_uri else []
        secret = self.sso("client", "add", client_id, *options)["client_secret"]
        return RelyingParty(self.issuer, client_id, secret, redirect_uri)


@pytest.fixture(params=["postgresql+redis", "postgresql"])
def older_farm(
    request: pytest.FixtureRequest,
    older: Path,
    tmp_path: Path,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[OlderFarm]:
    """Two nodes of the older version behind nginx."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))

    def older_sso(arguments: list[str]) -> list[str]:
        return [_python(older), "-m", "sso_server.cli", *arguments]

    with contextlib.ExitStack() as stack:
        redis_url = stack.enter_context(running_redis(tmp_path)) if request.param.endswith("+redis") else ""
        plain = make_farm(tmp_path, shared_settings(postgres.create_database(), redis_url))
        farm = OlderFarm(plain.directory, plain.centre, [], plain.nginx, plain.ca_file, plain.settings, older)
        for number in (1, 2):
            farm.nodes.append(Node(f"older-{number}", tmp_path, farm.settings, cwd=older, run=older_sso))
        for node in farm.nodes:
            stack.callback(stop_quietly, node)
            node.start()
            assert str(older) in str(Path(f"/proc/{node.pid}/cwd").readlink())
        stack.callback(farm.nginx.stop)
        farm.serve()
        yield farm


def test_both_versions_at_work_and_then_only_the_new_one(older_farm: OlderFarm) -> None:
    """The recipe of docs/several-nodes.md: schema first, then node by node; each is taken out of nginx' list before it
    is stopped, as the older version needs it."""
    farm, older_nodes = older_farm, list(older_farm.nodes)
    newer = [Node(f"newer-{number}", farm.directory, farm.settings) for number in (1, 2)]
    with contextlib.ExitStack() as stack, Sink() as sink:
        with busy(farm, sink, keep_alive=False) as load:

            def wait_for_more() -> None:
                before = len(load.ended)
                wait_until(lambda: len(load.ended) > before + 10, seconds=180, why="people to go on")

            wait_for_more()
            farm.centre.cli("db", "upgrade")
            wait_for_more()
            for leaving, coming in zip(older_nodes, newer, strict=True):
                stack.callback(stop_quietly, coming)
                coming.start()
                farm.balance([*(node for node in farm.nodes if node is not leaving), leaving, coming])
                wait_for_more()
                farm.nodes = [*(node for node in farm.nodes if node is not leaving), coming]
                farm.balance()
                wait_for_more()
                leaving.stop()
                wait_for_more()
        assert not load.failures, load.failures[:10]
        check_accounts(load, sink)
        asked = {address for node, _, _ in farm.answered() for address in node.split(", ")}
        assert asked == {f"127.0.0.1:{node.port}" for node in (*older_nodes, *newer)}

        # The way back: whoever is signed in stays so. One that finds a schema that it doesn't know says so instead of
        # guessing; then the newer version takes the schema back first.
        browser = farm.browser()
        assert redeem(newer[0], load.party, code_of(browser, load.party, _first_user(farm))).status_code == 200
        for node in newer:
            node.stop()
        if farm.centre.cli("db", "status")["revision"] != OLDER_SCHEMA:
            older_nodes[0].begin()
            assert older_nodes[0].wait_for_exit(60) == 1
            assert "made by a newer version" in older_nodes[0].log.read_text()
            farm.centre.cli("db", "downgrade", OLDER_SCHEMA, "--yes")
        farm.nodes = [older_nodes[0].start()]
        farm.balance()
        assert redeem(older_nodes[0], load.party, code_of(browser, load.party)).status_code == 200


def _first_user(farm: OlderFarm) -> str:
    return str(farm.centre.cli("user", "list")[0]["username"])


def test_a_sign_in_begun_at_one_version_ends_at_the_other(older_farm: OlderFarm) -> None:
    farm = older_farm
    with Sink() as sink:
        farm.add_user("alice")
        party = farm.add_party("shop", sink.url)
        farm.centre.cli("db", "upgrade")
        newer = Node("newer", farm.directory, farm.settings)
        newer.start()
        try:
            for nodes in ([farm.nodes[0], newer], [newer, farm.nodes[0]]):
                farm.nodes[:] = nodes
                farm.balance()
                browser, hops = farm.hopping_browser()
                redeemed = redeem(nodes[0], party, code_of(browser, party, "alice"))
                assert redeemed.status_code == 200, redeemed.text
                form = {"grant_type": "refresh_token", "refresh_token": redeemed.json()["refresh_token"]}
                auth = (party.client_id, party.secret)
                for node in (nodes[1], nodes[0]):
                    answer = requests.post(node.window + "/token", form, auth=auth, timeout=15)
                    assert answer.status_code == 200, (node.name, answer.text)
                    form["refresh_token"] = answer.json()["refresh_token"]
                before = sink.count
                browser.open(farm.issuer + "/sign-out").submit("/sign-out")
                assert browser.page.status_code == 200
                sink.wait_for(before + 1, 30)
                assert {node for node, _ in hops.noted} == {node.name for node in nodes}
        finally:
            newer.stop()
