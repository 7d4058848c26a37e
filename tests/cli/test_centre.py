"""`sso key`, `sso admin`, `sso db`, `sso check`, and how every command fails."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import PASSWORD, Sso
from tests.support.services import running_redis


def test_a_rotated_key_is_shown_before_it_signs(sso: Sso) -> None:
    made = sso.json("key", "rotate")
    assert sorted(key["alg"] for key in made) == ["ES256", "EdDSA", "RS256"]
    states = {(key["alg"], key["state"]) for key in sso.json("key", "list")}
    assert states == {(alg, state) for alg in ("ES256", "EdDSA", "RS256") for state in ("active", "next")}
    assert "private" not in json.dumps(sso.json("key", "list"))
    assert len(sso.json("key", "rotate", "--alg", "ES256")) == 1


def test_a_set_up_link_works_once(sso: Sso) -> None:
    from sso_server.core import setup

    answer = sso.json("admin", "setup-link")
    token = answer["link"].removeprefix("http://127.0.0.1:9000/setup?token=")
    built = sso.built()
    here = built.services
    assert setup.is_valid(token, here.one_time, here.users, here.clock)
    assert sso.run("admin", "setup-link").stdout.startswith("http://127.0.0.1:9000/setup?token=")
    assert not setup.is_valid(token, here.one_time, here.users, here.clock), "only the last one works"
    built.close()


def test_the_schema_is_made_and_then_up_to_date(sso: Sso) -> None:
    assert sso.json("db", "upgrade") == {"upgraded": True}
    assert sso.json("db", "upgrade") == {"upgraded": False}


def test_a_schema_of_another_version_is_left_alone(sso: Sso, tmp_path: Path) -> None:
    import sqlite3

    sso.run("db", "upgrade")
    with sqlite3.connect(tmp_path / "data" / "lockstep.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'older'")
    connection.close()
    assert "sso db upgrade" in sso.run("user", "list", code=1).stderr
    assert "schema is newer (older) than this program" in sso.run("check", code=1).stdout


def test_a_check_of_an_older_schema_says_what_to_do(sso: Sso) -> None:
    sso.run("db", "upgrade")
    sso.run("db", "downgrade", "0002", "--yes")
    checked = sso.run("check", code=1)
    assert "sso db upgrade" in checked.stdout
    assert "Sites registered" not in checked.stdout, "their table has other columns"


def test_a_check_without_the_database_looks_at_redis_all_the_same(sso: Sso) -> None:
    sso.env |= {
        "SSO_DATABASE_URL": "postgresql://somebody@127.0.0.1:1/none",
        "SSO_SECRET_KEY": "k" * 40,
        "SSO_REDIS_URL": "redis://127.0.0.1:2/0",
    }
    said = [line for line in sso.run("check", code=1).stdout.splitlines() if line.startswith("BAD")]
    assert len(said) == 2
    assert said[0].startswith("BAD  The database: ")
    assert said[1].startswith("BAD  Redis cannot answer right now.")


def test_a_check_shows_each_setting_with_its_source_and_no_secret(sso: Sso, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret-" * 6)
    sso.env |= {
        "SSO_SECRET_KEY_FILE": str(tmp_path / "key"),
        "SSO_LEASE": "30",
        "SSO_REDIS_URL": "redis://user:hunter2@127.0.0.1:1/0?password=hunter2",
    }
    sso.run("db", "upgrade")
    result = sso.run("check", "--json", code=1)
    shown = {entry["name"]: (entry["value"], entry["source"]) for entry in json.loads(result.stdout)["settings"]}
    assert shown["SSO_LEASE"] == ("30", "SSO_LEASE")
    assert shown["SSO_GRACE"] == ("0", "default")
    assert shown["SSO_SECRET_KEY"] == ("********", "SSO_SECRET_KEY_FILE")
    assert shown["SSO_REDIS_URL"][0] == "redis://user:********@127.0.0.1:1/0?********"
    assert "hunter2" not in result.output
    assert "s3cret" not in result.output


def test_a_check_of_a_healthy_centre_is_good(sso: Sso) -> None:
    sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000")
    answer = sso.json("check")
    assert answer["ok"] is True
    assert answer["problems"] == []
    assert any("clocks differ" in sentence for sentence in answer["good"])


def test_whoever_stands_behind_a_proxy_and_trusts_none_is_told(sso: Sso) -> None:
    sso.env["SSO_ISSUER"] = "https://sso.example.com"
    (problem,) = json.loads(sso.run("check", "--json", code=1).stdout)["problems"]
    assert problem.startswith("SSO_TRUSTED_PROXIES is empty: ")
    sso.env["SSO_TRUSTED_PROXIES"] = "10.0.0.10"
    assert sso.json("check")["problems"] == []


def test_what_a_driver_says_in_several_lines_is_one(sso: Sso) -> None:
    sso.env |= {"SSO_DATABASE_URL": "postgresql://somebody@127.0.0.1:1/none", "SSO_SECRET_KEY": "k" * 40}
    (line,) = sso.run("user", "list", code=1).stderr.splitlines()
    assert line.startswith("Error: The service cannot answer right now. (database: ")


def test_a_check_changes_nothing(sso: Sso, tmp_path: Path) -> None:
    sso.run("check")
    assert not (tmp_path / "data" / "lockstep.sqlite3").exists()


@pytest.mark.redis
def test_redis_is_looked_at_before_there_is_a_schema_and_none_is_made(sso: Sso, tmp_path: Path) -> None:
    sso.env["SSO_REDIS_URL"] = "redis://127.0.0.1:1/0"
    (problem,) = json.loads(sso.run("check", "--json", code=1).stdout)["problems"]
    assert problem.startswith("Redis cannot answer right now. (Redis: ")
    with running_redis(tmp_path, "--appendonly", "yes") as url:
        sso.env["SSO_REDIS_URL"] = url
        good = sso.json("check")["good"]
    assert [sentence.split(":")[0].split(" answers")[0] for sentence in good] == ["There is no schema yet", "Redis"]
    assert not (tmp_path / "data" / "lockstep.sqlite3").exists()


def test_every_wrong_setting_is_named_at_once(sso: Sso) -> None:
    sso.env |= {"SSO_LEASE": "soon", "SSO_ISSUER": "ftp://x", "SSO_LAESE": "3"}
    for command in (["check"], ["user", "list"]):
        result = sso.run(*command, code=1)
        for name in ("SSO_LEASE", "SSO_ISSUER", "SSO_LAESE"):
            assert name in result.output, command


def test_a_store_that_is_away_is_one_line_and_exit_code_1(sso: Sso) -> None:
    sso.env["SSO_REDIS_URL"] = "redis://127.0.0.1:1/0"
    result = sso.run("session", "list", code=1)
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "url", ["redis://:hunter2/x@127.0.0.1:6379", "redis://h:port", "redis://h?timeout=soon", "redis://h/0?foo=1"]
)
def test_an_address_that_is_none_of_a_redis_is_a_setting_in_words(sso: Sso, url: str) -> None:
    sso.run("db", "upgrade")
    sso.env["SSO_REDIS_URL"] = url
    for command in (["check"], ["session", "list"]):
        result = sso.run(*command, code=1)
        assert "SSO_REDIS_URL: has a" in result.output, command
        assert "Traceback" not in result.output
        assert "hunter2" not in result.output


def test_the_command_itself_runs_as_a_process(sso: Sso, tmp_path: Path) -> None:
    added = sso.process("user", "add", "alice", "--password-stdin", "--json", stdin=PASSWORD + "\n")
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["username"] == "alice"
    refused = sso.process("user", "show", "bob")
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", "Error: There is no user 'bob'.\n")
    assert sso.process("user", "shw").returncode == 2
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_two_first_commands_at_once_make_one_schema(sso: Sso) -> None:
    with ThreadPoolExecutor(2) as pool:
        add = lambda name: sso.process("user", "add", name, "--password-stdin", stdin=PASSWORD)  # noqa: E731
        for done in pool.map(add, ("alice", "bob")):
            assert done.returncode == 0, done.stderr
    assert [user["username"] for user in sso.json("user", "list")] == ["alice", "bob"]


def test_check_names_a_store_that_went_back_in_time_until_it_is_put_right(sso: Sso) -> None:
    sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000")
    built = sso.built()
    state = built.services.restorations.state()
    found = replace(state.newest, restoration_id="res-found", cause="mark", finished_at=None)
    assert built.sql.restorations.begin(found, after=state.newest.restoration_id)
    assert "went back in time" in sso.run("check", code=1).stdout
    assert built.restorer().run_once()
    assert "went back" not in sso.run("check").stdout
    built.close()
