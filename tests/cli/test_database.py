"""`sso db`, and what a database's address must bring along."""

import json
import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner

from sso_server import config
from sso_server.cli import main

KEY = "x" * 40


@pytest.fixture
def sso(tmp_path):
    """Runs `sso ...` on a data directory of its own."""

    def run(*words, **settings):
        return CliRunner().invoke(main, words, env={"SSO_DATA_DIR": str(tmp_path / "data"), **settings})

    return run


def test_status_says_which_schema_there_is_and_what_an_upgrade_adds(sso, tmp_path):
    assert "no schema yet" in sso("db", "status").output
    assert not (tmp_path / "data").exists(), "looking makes nothing"
    sso("db", "upgrade")
    assert json.loads(sso("db", "status", "--json").output) == {
        "revision": json.loads(sso("db", "status", "--json").output)["revision"],
        "age": "current",
        "pending": [],
    }
    assert sso("db", "downgrade", "0001", "--yes").exit_code == 0
    found = json.loads(sso("db", "status", "--json").output)
    assert (found["revision"], found["age"], found["pending"][0]) == ("0001", "older", "0002")
    assert "run sso db upgrade" in sso("db", "status").output


def test_a_downgrade_asks_first_and_names_the_revisions_that_there_are(sso):
    sso("db", "upgrade")
    assert sso("db", "downgrade", "0001").exit_code == 1, "nobody said yes"
    assert json.loads(sso("db", "status", "--json").output)["age"] == "current"
    refused = sso("db", "downgrade", "9999", "--yes")
    assert refused.exit_code == 1
    assert "there are: 0001" in refused.output


def test_a_version_that_is_older_than_the_schema_does_not_start_and_says_so(sso, tmp_path):
    sso("db", "upgrade")
    with closing(sqlite3.connect(tmp_path / "data/lockstep.sqlite3")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for command in (("serve",), ("db", "upgrade"), ("db", "downgrade", "0001", "--yes")):
        refused = sso(*command)
        assert refused.exit_code == 1
        assert "made by a newer version of this program" in refused.output
    assert "newer version" in sso("db", "status").output


def test_postgresql_without_a_secret_key_is_refused_with_the_reason(sso):
    refused = sso("serve", SSO_DATABASE_URL="postgresql://lockstep@127.0.0.1:1/lockstep")
    assert refused.exit_code == 1
    assert "SSO_SECRET_KEY: needed with PostgreSQL, and the same on every node" in refused.output


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://user:word@host/name", "must begin with postgresql:// or sqlite:///"),
        ("postgresql://user:word@host:x/name", "not a database URL"),
        ("postgresql://user:word@one,two:x/name", "not a list of hosts"),
        ("postgresql://user:word@1@host/name", "@ must be written %40"),
        ("postgresql://user:word@1@one,two/name", "@ must be written %40"),
        ("postgresql://user:word@host/name?port=word", "must be numbers"),
        ("postgresql://user:word@host/name?connect_timeout=word", "must be numbers"),
        ("postgresql://user:word@host/name?word=1", "option that PostgreSQL's client library doesn't know"),
        ("postgresql://user:word@host/name?pooler=statement", "pooler can only be transaction"),
        ("sqlite://", "must be a file"),
    ],
)
def test_a_wrong_address_is_named_without_its_password(url, words):
    with pytest.raises(config.ConfigError) as caught:
        config.load({"SSO_DATABASE_URL": url, "SSO_SECRET_KEY": KEY})
    assert words in str(caught.value)
    assert "word" not in str(caught.value).replace("password's @", "")
