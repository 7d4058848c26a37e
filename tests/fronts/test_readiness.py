"""`/readyz` and `sso check`: one list of checks, bounded in time, with reasons that anybody may read."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from time import monotonic

import pytest
from alembic.script import ScriptDirectory
from click.testing import CliRunner

from sso_server.cli import main
from sso_server.core.errors import Unavailable
from sso_server.core.restorations import Cause, Restoration
from sso_server.stores.sql import SqlStores, migrate
from sso_server.stores.sql.schema import known_revisions
from sso_server.web.readiness import Check, Finding, Readiness
from tests.support.services import OwnRedis


def set_revision(directory: Path, revision: str) -> None:
    with sqlite3.connect(directory / "lockstep.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()


def test_an_older_schema_is_named_and_takes_the_node_out_of_service(make_app, tmp_path: Path) -> None:
    ask = make_app().test_client().get
    set_revision(tmp_path, "0001")
    answer = ask("/readyz")
    newest = known_revisions()[-1]
    words = f"The database's schema is older (0001) than this program's ({newest}): sso db upgrade."
    assert (answer.status_code, answer.json["reasons"]) == (503, [words])
    # The command looks at the same list.
    env = {"SSO_DATA_DIR": str(tmp_path), "SSO_SECRET_KEY": "k" * 40}
    done = CliRunner().invoke(main, ["check"], env=env)
    assert done.exit_code == 1
    assert f"BAD  {words}" in done.stdout


def test_a_newer_schema_is_said_and_the_old_node_goes_on(make_app, tmp_path: Path) -> None:
    ask = make_app().test_client().get
    set_revision(tmp_path, "9999")
    answer = ask("/readyz")
    assert answer.status_code == 200
    assert answer.json["warnings"][0].startswith("The database's schema is newer (9999)")


def test_the_revisions_are_those_that_alembic_would_find() -> None:
    scripts = ScriptDirectory(str(migrate._MIGRATIONS))
    assert list(known_revisions()) == sorted(script.revision for script in scripts.walk_revisions())
    assert scripts.get_heads() == [known_revisions()[-1]]


def test_keys_that_another_secret_sealed_take_the_node_out_of_service(make_app) -> None:
    answer = make_app(secret_key="x" * 40).test_client().get("/readyz")
    assert answer.status_code == 503
    (reason,) = answer.json["reasons"]
    assert reason.startswith("The signing keys")
    assert "x" * 40 not in answer.text


def test_a_node_that_is_being_stopped_is_not_ready(app) -> None:
    from sso_server.web.services import of

    of(app).readiness.not_when(lambda: True)
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["reasons"]) == (503, ["This node is about to stop."])
    assert app.test_client().get("/healthz").status_code == 200


def test_a_check_that_hangs_is_waited_for_once_and_by_nobody_for_long() -> None:
    go_on, calls = threading.Event(), []

    def hang() -> Finding:
        calls.append(1)
        go_on.wait(60)
        raise Unavailable(detail="it was away")

    readiness = Readiness([Check("It", hang), Check("Other", lambda: Finding("fine"))], most_s=0.2, fresh_s=0)
    begun = monotonic()
    reports = [readiness.report() for _ in range(3)]
    assert monotonic() - begun < 3
    assert [report.reasons for report in reports] == [["It does not answer in time."]] * 3
    assert reports[0].findings[1].good == "fine"
    assert len(calls) == 1, "each further look would be one more thread"
    go_on.set()
    deadline = monotonic() + 10
    while readiness.report().reasons != ["It cannot answer right now."]:
        assert monotonic() < deadline


def test_what_was_found_is_good_for_a_second() -> None:
    calls = []
    readiness = Readiness([Check("It", lambda: calls.append(1) or Finding())], fresh_s=60)
    for _ in range(5):
        readiness.report()
    assert len(calls) == 1


@pytest.mark.redis
def test_a_redis_that_hangs_keeps_nobody_waiting_who_asks(make_app, tmp_path: Path) -> None:
    own = OwnRedis(tmp_path / "redis")
    own.start()
    try:
        ask = make_app(redis_url=own.url).test_client().get
        assert ask("/readyz").status_code == 200
        own.pause()
        for _ in range(3):
            begun = monotonic()
            answer = ask("/readyz")
            assert monotonic() - begun < 5
            assert answer.status_code == 503
            assert answer.json["reasons"][0].startswith("Redis ")
        # Numbers ask no store.
        assert ask("/metrics").status_code == 200
    finally:
        own.stop()


@pytest.mark.redis
def test_a_redis_that_may_throw_sessions_away_or_forgets_at_a_restart_is_said_loudly(make_app, tmp_path: Path) -> None:
    own = OwnRedis(tmp_path / "redis", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    own.start()
    try:
        answer = make_app(redis_url=own.url).test_client().get("/readyz")
        said = " ".join(answer.json["warnings"])
        assert "maxmemory-policy noeviction" in said
        assert "appendonly yes" in said
        env = {"SSO_DATA_DIR": str(tmp_path), "SSO_SECRET_KEY": "k" * 40, "SSO_REDIS_URL": own.url}
        done = CliRunner().invoke(main, ["check"], env=env)
        assert done.exit_code == 1
        assert all(f"BAD  {warning}" in done.stdout for warning in answer.json["warnings"])
    finally:
        own.stop()


@pytest.mark.redis
def test_a_node_whose_redis_the_fence_refuses_is_not_ready(make_app, tmp_path: Path, empty_redis_url: str) -> None:
    """A cut-off old master: another node may reach the right one."""
    ask = make_app(redis_url=empty_redis_url).test_client().get
    assert ask("/readyz").json["reasons"] == []
    sql = SqlStores.open(f"sqlite:///{tmp_path}/lockstep.sqlite3")
    try:
        state = sql.restorations.state()
        after = state.newest.restoration_id if state is not None else ""
        sql.restorations.begin(
            Restoration("rst-new", Cause.INCARNATION, 1, 0, end_all=False, incarnation=""), after=after
        )
        sql.restorations.finish("rst-new", "another:server", 0, 2)
    finally:
        sql.close()
    deadline = monotonic() + 20
    while (answer := ask("/readyz")).status_code == 200:
        assert monotonic() < deadline
    assert answer.json["reasons"] == [
        "This node's Redis isn't the one that was put right last, or doesn't say who it is (+info)."
    ]
