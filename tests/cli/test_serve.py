"""`sso serve` before it starts anything."""

import socket
from pathlib import Path

import pytest

from sso_server import config
from sso_server.cli import serve
from sso_server.core import setup
from tests.cli.conftest import PASSWORD, Sso
from tests.support.centre import Centre, wait_until
from tests.support.sinks import Sink


def test_a_redis_that_is_away_is_named_and_keeps_nothing_from_starting(
    sso: Sso, capsys: pytest.CaptureFixture[str]
) -> None:
    sso.env["SSO_REDIS_URL"] = "redis://me:hunter2@127.0.0.1:1/0"
    serve.prepare(config.load(sso.env))
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith("Redis can't be used now (ConnectionError: ")
    assert "hunter2" not in line
    assert "/setup?token=" in said.out, "the rest is prepared"


def test_a_set_up_link_ends_with_the_next_one_and_with_the_first_administrator(
    sso: Sso, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = []
    for _ in range(2):
        serve.prepare(config.load(sso.env))
        tokens.append(capsys.readouterr().out.split("/setup?token=")[1].split()[0])
    built = sso.built()
    here = built.services

    def valid() -> list[bool]:
        return [setup.is_valid(token, here.one_time, here.users, here.clock) for token in tokens]

    assert valid() == [False, True]
    sso.run("user", "add", "root", "--admin", "--password-stdin", stdin=PASSWORD)
    assert valid() == [False, False]
    tokens.append(sso.json("admin", "setup-link")["link"].split("=")[1])
    assert valid() == [False, False, True]
    built.close()


def test_of_several_nodes_one_prints_the_set_up_link_and_prints_another_when_it_starts_again(
    sso: Sso, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shared = {**sso.env, "SSO_DATABASE_URL": f"sqlite:///{tmp_path}/shared.sqlite3", "SSO_SECRET_KEY": "s" * 40}
    said = []
    for name in ("one", "two", "one"):
        serve.prepare(config.load({**shared, "SSO_DATA_DIR": str(tmp_path / name)}))
        said.append(capsys.readouterr().out)
    assert ["/setup?token=" in each for each in said] == [True, False, True]
    assert "Another node has printed the link" in said[1]


def test_who_starts_a_centre_behind_a_proxy_that_is_not_named_hears_of_it(tmp_path: Path) -> None:
    centre = Centre(tmp_path, settings={"SSO_ISSUER": "https://sso.example.com"})
    try:
        centre.process.start()
        wait_until(lambda: "Lockstep serves https://sso.example.com" in centre.log.read_text(), why="it to serve")
        assert "SSO_TRUSTED_PROXIES is empty: " in centre.log.read_text()
    finally:
        centre.process.stop()


@pytest.mark.redis
def test_a_redis_that_answers_is_not_spoken_of(
    sso: Sso, empty_redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sso.env["SSO_REDIS_URL"] = empty_redis_url
    serve.prepare(config.load(sso.env))
    assert capsys.readouterr().err == ""


def test_a_port_where_somebody_only_listens_has_not_started_yet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert serve.answers(silent.getsockname()) is False
    with Sink("404") as sink:
        assert serve.answers(("127.0.0.1", sink.port)) is True
