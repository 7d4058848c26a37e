"""How nodes start: several at once, with a clock that is off, with another secret, with one of the stores away."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.nodes.farm import SECRET, Node
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, wait_until
from tests.support.ports import free_port
from tests.support.postgres import Postgres, running_postgres
from tests.support.services import OwnRedis


def settings_for(database_url: str, redis_url: str = "", **more: str) -> dict[str, str]:
    """A centre without nginx."""
    return {
        "SSO_ISSUER": f"http://127.0.0.1:{free_port()}",
        "SSO_DATABASE_URL": database_url,
        "SSO_SECRET_KEY": SECRET,
        "SSO_LOG_FORMAT": "json",
        "SSO_HASH_MEMORY_KIB": "8192",
        **({"SSO_REDIS_URL": redis_url} if redis_url else {}),
        **{f"SSO_{name.upper()}": value for name, value in more.items()},
    }


def test_four_that_start_at_once_make_one_schema_and_one_link_and_publish_the_same_keys(
    tmp_path: Path, postgres: Postgres
) -> None:
    settings = settings_for(postgres.create_database())
    nodes = [Node(f"node-{number}", tmp_path, settings) for number in range(4)]
    try:
        for node in nodes:
            node.begin()
        for node in nodes:
            wait_until(node.is_ready, seconds=120, why=f"{node.name} to be ready")
        links = [link for node in nodes for link in re.findall(r"/setup\?token=\S+", node.log.read_text())]
        assert len(links) == 1
        others = [node for node in nodes if "Another node has printed the link" in node.log.read_text()]
        assert len(others) == 3
        shown = [requests.get(node.address + "/jwks.json", timeout=10).json() for node in nodes * 4]
        assert all(each == shown[0] for each in shown)
        assert {key["kty"] for key in shown[0]["keys"]} == {"EC", "OKP", "RSA"}
        assert requests.get(nodes[3].address + links[0], timeout=10).status_code == 200
        # Who is started again gets a new link: the old one may have gone with its terminal.
        (printer,) = [node for node in nodes if node not in others]
        printer.stop()
        printer.start()
        again = re.findall(r"/setup\?token=\S+", printer.log.read_text())
        assert len(again) == 2
        assert [requests.get(nodes[3].address + link, timeout=10).status_code for link in again] == [404, 200]
    finally:
        for node in nodes:
            if node.is_running():
                node.stop()


def test_a_node_with_another_secret_says_so_and_does_not_start(tmp_path: Path, postgres: Postgres) -> None:
    settings = settings_for(postgres.create_database())
    first = Node("first", tmp_path, settings)
    other = Node("other", tmp_path, {**settings, "SSO_SECRET_KEY": "another-secret-0123456789abcdef-0123456789"})
    first.start()
    try:
        other.begin()
        assert other.wait_for_exit(60) == 1
        (line,) = [line for line in other.log.read_text().splitlines() if "SSO_SECRET_KEY" in line]
        assert "Traceback" not in other.log.read_text()
        assert "signing key" in line
        assert first.is_ready()
        # With both it reads what is there: that is how a secret is changed.
        other = Node("both", tmp_path, {**settings, "SSO_SECRET_KEY": f"{'x' * 40},{SECRET}"})
        other.start()
    finally:
        for node in (first, other):
            if node.is_running():
                node.stop()


def test_a_node_on_postgresql_needs_a_secret_of_its_own(tmp_path: Path, postgres: Postgres) -> None:
    settings = settings_for(postgres.create_database())
    del settings["SSO_SECRET_KEY"]
    node = Node("node", tmp_path, settings)
    node.begin()
    assert node.wait_for_exit(60) == 1
    assert "SSO_SECRET_KEY: needed with PostgreSQL" in node.log.read_text()


@pytest.mark.parametrize("away", ["PostgreSQL", "Redis"])
def test_a_node_that_loses_one_store_says_which_and_publishes_what_it_knows(tmp_path: Path, away: str) -> None:
    redis = OwnRedis(tmp_path / "redis")
    redis.start()
    try:
        with running_postgres(tmp_path / "pg") as own:
            # One worker: of two, one may still be starting when the other is ready, and then it knows nothing.
            node = Node("node", tmp_path, settings_for(own.create_database(), redis.url), workers=1)
            node.start()
            before = requests.get(node.address + "/jwks.json", timeout=10).json()
            try:
                (own.stop if away == "PostgreSQL" else redis.stop)()

                def not_ready() -> Any:
                    answer = requests.get(node.address + "/readyz", timeout=20)
                    return answer.status_code == 503 and answer.json()

                said = wait_until(not_ready, seconds=30, why="the node to notice")
                name = "The database" if away == "PostgreSQL" else "Redis"
                assert [reason for reason in said["reasons"] if reason.startswith(name)], said
                # Longer than keys are remembered.
                until = time.monotonic() + 5
                while time.monotonic() < until:
                    answer = requests.get(node.address + "/jwks.json", timeout=20)
                    assert (answer.status_code, answer.json()) == (200, before)
                    metadata = requests.get(node.address + "/.well-known/openid-configuration", timeout=20)
                    assert metadata.status_code == 200
                    assert requests.get(node.address + "/healthz", timeout=20).status_code == 200
                    time.sleep(0.2)
                refused = requests.get(node.address + "/sessions", timeout=20, cookies={"lockstep_session": "s-01-x"})
                assert refused.status_code < 500 or "Retry-After" in refused.headers
                (own.start if away == "PostgreSQL" else redis.start)()
                wait_until(node.is_ready, seconds=60, why="the node to go on by itself")
            finally:
                node.stop()
    finally:
        redis.stop()


def test_a_node_whose_clock_is_off_is_not_ready_and_leaves_the_sweeping_to_others(
    tmp_path: Path, postgres: Postgres
) -> None:
    """libfaketime isn't everywhere: the node's own clock is moved by a module that its Python loads at start. By that
    clock the session that somebody opens here has been idle for far too long.
    """
    settings = settings_for(postgres.create_database(), session_idle="600", lease="5")
    crooked = tmp_path / "crooked"
    crooked.mkdir()
    (crooked / "sitecustomize.py").write_text(
        "import sso_server.clock as clock\nimport time\n"
        "clock.SystemClock.now = lambda self: time.time_ns() // 1_000_000 + 3_600_000\n"
    )
    good, off = Node("good", tmp_path, settings), Node("off", tmp_path, settings)
    off.env["PYTHONPATH"] = str(crooked)
    good.start()
    try:
        link = good.address + re.findall(r"/setup\?token=\S+", good.log.read_text())[0]
        browser = Browser().open(link)
        browser.submit("/setup", username="root", name="Root", new=PASSWORD, repeat=PASSWORD)
        assert browser.open(good.address + "/").url == good.address + "/"
        off.begin()

        def says_so() -> bool:
            answer = requests.get(off.address + "/readyz", timeout=10)
            return answer.status_code == 503 and "clock" in str(answer.json()["reasons"])

        wait_until(says_so, seconds=90, why="the node to say that its clock is off")
        # Its sweeper has looked at the clock, as it does each second before it ends anybody.
        wait_until(lambda: "clock_differs_from_store" in off.log.read_text(), seconds=60, why="its sweeper to notice")
        time.sleep(5)
        assert good.is_ready()
        assert browser.open(good.address + "/").url == good.address + "/", "it has ended a live session"
    finally:
        for node in (good, off):
            if node.is_running():
                node.stop()
