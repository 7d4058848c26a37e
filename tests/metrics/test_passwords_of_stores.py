"""Whatever a store that is away answers: its password stands in no answer, no line and no check."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sso_server.cli import main

SECRET = "pass/word+0123456789"


@pytest.mark.parametrize(
    "setting", ["SSO_DATABASE_URL=postgresql://me:{}@127.0.0.1:1/sso", "SSO_REDIS_URL=redis://me:{}@127.0.0.1:1/0"]
)
def test_a_store_that_is_away_is_named_without_its_password(tmp_path: Path, setting: str) -> None:
    name, _, url = setting.partition("=")
    escaped = SECRET.replace("/", "%2F").replace("+", "%2B")
    env = {"SSO_DATA_DIR": str(tmp_path), "SSO_SECRET_KEY": "k" * 40, name: url.format(escaped)}
    for command in (["check"], ["session", "list"], ["user", "list"]):
        done = CliRunner().invoke(main, command, env=env)
        said = done.output + done.stderr
        assert SECRET not in said
        assert escaped not in said
        if command == ["check"]:
            assert done.exit_code == 1
            assert "BAD" in said
