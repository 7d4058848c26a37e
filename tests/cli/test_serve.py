"""`sso serve` before it starts anything."""

import pytest

from sso_server import config
from sso_server.cli import serve
from tests.cli.conftest import Sso


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


@pytest.mark.redis
def test_a_redis_that_answers_is_not_spoken_of(
    sso: Sso, empty_redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sso.env["SSO_REDIS_URL"] = empty_redis_url
    serve.prepare(config.load(sso.env))
    assert capsys.readouterr().err == ""
