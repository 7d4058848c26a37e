"""`sso restore` where something else puts the stores back: Redis, PostgreSQL's own tools."""

import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from sso_server.core.errors import InvalidGrant
from tests.cli.conftest import PASSWORD, SignedIn, Sso, settings_at, sign_in_at
from tests.support.postgres import Postgres, find_postgres


def begin(sso: Sso) -> SignedIn:
    """alice is signed in at the shop."""
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000")
    with closing(sso.built()) as built:
        # The first look of this installation, as the delivery process takes it.
        built.restorer().run_once()
        return sign_in_at(built, "alice", "shop")


def assert_nobody_came_back(sso: Sso, signed_in: SignedIn) -> None:
    assert sso.json("session", "show", signed_in.sid)["end_reason"] == "store_restored"
    with closing(sso.built()) as built:
        assert built.services.lists.count_live(built.services.clock.now()) == 0
        shop = built.services.clients.find("shop")
        assert shop is not None
        with pytest.raises(InvalidGrant):
            built.services.tokens.refresh(signed_in.refresh_token, shop, None)
        assert not built.services.restorations.is_unfinished()
        assert not built.restorer().run_once()


def test_a_redis_that_was_put_back_keeps_nobody(empty_redis_url: str, tmp_path: Path) -> None:
    sso = Sso({**settings_at(tmp_path / "data"), "SSO_REDIS_URL": empty_redis_url})
    signed_in = begin(sso)
    done: Any = sso.json("restore", "--yes")
    assert (done["file"], done["sessions_ended"]) == (None, 1)
    assert_nobody_came_back(sso, signed_in)


def test_accounts_put_back_beside_a_redis_end_the_sessions_there(empty_redis_url: str, tmp_path: Path) -> None:
    sso = Sso({**settings_at(tmp_path / "data"), "SSO_REDIS_URL": empty_redis_url})
    signed_in = begin(sso)
    assert "Redis" in sso.run("backup", str(tmp_path / "backup")).stdout
    with closing(sso.built()) as built:
        later = sign_in_at(built, "alice", "shop")
    assert sso.json("restore", str(tmp_path / "backup"), "--yes")["sessions_ended"] == 2
    for each in (signed_in, later):
        assert_nobody_came_back(sso, each)


def test_a_redis_that_is_away_is_waited_for_by_the_row(tmp_path: Path, empty_redis_url: str) -> None:
    here = Sso({**settings_at(tmp_path / "data"), "SSO_REDIS_URL": empty_redis_url})
    signed_in = begin(here)
    away = Sso({**here.env, "SSO_REDIS_URL": "redis://127.0.0.1:1/0"})
    assert "Redis" in away.run("restore", "--yes", code=1).stderr
    with closing(here.built()) as built:
        assert built.services.restorations.is_unfinished(), "until then no lease is renewed"
        # What the delivery process does next.
        assert built.restorer().run_once()
    assert_nobody_came_back(here, signed_in)


@pytest.mark.postgres
@pytest.mark.engines
@pytest.mark.parametrize("sessions", ["postgresql", "redis"])
def test_a_dump_of_postgresql_brings_nobody_back(
    sessions: str, postgres: Postgres, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    more = {"SSO_REDIS_URL": request.getfixturevalue("empty_redis_url")} if sessions == "redis" else {}
    settings = {**settings_at(tmp_path / "data"), "SSO_SECRET_KEY": "the-same-on-every-node-0123456789", **more}
    url, other = postgres.create_database(), postgres.create_database()
    sso = Sso({**settings, "SSO_DATABASE_URL": url})
    signed_in = begin(sso)
    dump = tmp_path / "dump"

    def run(program: str, *args: str) -> None:
        subprocess.run([f"{find_postgres()}/{program}", *args], check=True, timeout=60)

    run("pg_dump", "--format=custom", f"--file={dump}", url)
    sso.run("session", "end", signed_in.sid)
    if sessions == "redis":
        with redis.Redis.from_url(more["SSO_REDIS_URL"]) as connection:
            connection.flushall()
        signed_in = begin_again(sso)
    run("pg_restore", "--no-owner", f"--dbname={other}", str(dump))
    there = Sso({**settings, "SSO_DATABASE_URL": other})
    assert there.json("restore", "--yes")["sessions_ended"] == 1
    assert_nobody_came_back(there, signed_in)


def begin_again(sso: Sso) -> SignedIn:
    with closing(sso.built()) as built:
        return sign_in_at(built, "alice", "shop")
