"""`sso restore`: the backup is in place whole or not at all, and nobody whom it brings back stays."""

import os
import shutil
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sso_server import wiring
from sso_server.core.errors import Unavailable, WrongCredentials
from sso_server.core.events import EventKind
from sso_server.core.putting_back import CAUSE
from sso_server.core.restorations import Cause, Restoration
from sso_server.core.sign_in import Visitor
from sso_server.stores.sql import SqlStores, migrate, replacing
from sso_server.stores.sql.presence import Presence
from tests.cli.conftest import PASSWORD, Sso, settings_at
from tests.cli.restore_story import LATER, Story, copy_of, make_story, nobody_came_back
from tests.support.forks import Forked


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Told once; each test has a copy."""
    return make_story(tmp_path_factory.mktemp("story"))


@pytest.fixture
def story(told: Story, tmp_path: Path) -> Story:
    return copy_of(told, tmp_path)


def knows(built: wiring.Built, username: str, password: str) -> bool:
    try:
        built.services.sign_in.authenticate(username, password, Visitor("br-00-x", "192.0.2.9", "", ""))
    except WrongCredentials:
        return False
    return True


def test_whom_the_backup_brings_back_is_signed_out_and_their_sites_are_told(story: Story) -> None:
    done = story.restore()
    assert done["sessions_ended"] == 1
    nobody_came_back(story)
    (told,) = story.sso.json("signout", "list")
    assert told["reason"] == "store_restored"
    with story.built() as built:
        assert not built.services.restorations.is_unfinished()
        assert built.services.restorations.state().newest.cause == CAUSE
        (line,) = built.sql.audit.list_events(1, kind=EventKind.STORE_RESTORED)
        assert line.data["cause"] == CAUSE
        # Neither the old side file nor anything else accuses the restored database once more.
        assert not built.restorer().run_once()


def test_accounts_are_those_of_the_backup_and_whoever_is_affected_is_named(story: Story) -> None:
    said = story.sso.run("restore", str(story.file), "--yes").stdout
    assert "bob has the password of the backup again" in said
    assert "carol was disabled since, and can sign in again" in said
    assert "dora was added since, and is gone" in said
    assert "alice" not in said.split("Changed after")[1]
    with story.built() as built:
        assert knows(built, "bob", PASSWORD)
        assert not knows(built, "bob", LATER)
    assert story.names() == {"alice", "bob", "carol"}


def test_sites_and_keys_are_those_of_the_backup_and_are_named(story: Story) -> None:
    with story.built() as built:
        shop = built.services.clients.find("shop")
        assert shop is not None
        assert built.sql.clients.update(replace(shop, name="Shop, moved"), shop)
        assert built.sql.clients.add(replace(shop, client_id="newest"))
        leaked = built.signing_keys.list_keys()[0].kid
    story.sso.run("key", "retire", leaked, "--yes")
    done = {tuple(one.values()) for one in story.restore()["undone"]}
    assert {("shop", "changed"), ("newest", "registered"), (leaked, "retired")} <= done


def test_the_replaced_file_is_kept_and_can_be_put_back_itself(story: Story) -> None:
    done = story.restore()
    kept = Path(done["replaced"])
    assert kept.parent == story.database.parent
    assert kept.stat().st_mode & 0o777 == 0o600
    undone = story.sso.json("restore", str(kept), "--yes")
    assert story.names() == {"alice", "bob", "carol", "dora"}
    assert undone["replaced"] != str(kept)


def test_it_asks_first(story: Story) -> None:
    assert "--yes" in story.sso.run("restore", str(story.file), code=2).stderr
    assert "dora" in story.names()


def test_an_empty_machine_gets_the_whole_centre_back_with_its_secret_key(story: Story, tmp_path: Path) -> None:
    there = Sso(settings_at(tmp_path / "there"))
    assert "secret key of that time" in there.run("restore", str(story.file), "--yes", code=1).stderr
    assert not (tmp_path / "there" / "lockstep.sqlite3").exists()
    (tmp_path / "there").mkdir(exist_ok=True)
    shutil.copy(story.database.with_name("secret-key"), tmp_path / "there")
    done = there.json("restore", str(story.file), "--yes")
    assert (done["replaced"], done["sessions_ended"]) == (None, 1)
    nobody_came_back(replace(story, sso=there))


def test_with_a_lost_secret_key_new_keys_sign_and_what_the_old_ones_signed_is_still_known(story: Story) -> None:
    old = {key["kid"] for key in story.sso.json("key", "list")}
    story.database.with_name("secret-key").write_text("n" * 40)
    assert "--new-keys" in story.sso.run("restore", str(story.file), "--yes", code=1).stderr
    assert "dora" in story.names()
    story.restore("--new-keys")
    with story.built() as built:
        assert built.signing_keys.sign({"iss": "x"}, alg="ES256", typ="JWT")
    assert {key["state"] for key in story.sso.json("key", "list") if key["kid"] in old} == {"retired"}


def test_what_can_not_be_put_back_leaves_everything_as_it_was(story: Story) -> None:
    whole = story.file.read_bytes()
    story.file.write_bytes(whole[: len(whole) // 2])
    assert "no sound backup" in story.sso.run("restore", str(story.file), "--yes", code=1).stderr
    story.file.write_bytes(whole)
    with sqlite3.connect(story.file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from the future'")
    connection.close()
    assert "newer version" in story.sso.run("restore", str(story.file), "--yes", code=1).stderr
    assert "dora" in story.names()
    assert not [path for path in story.database.parent.iterdir() if "restoring" in path.name]


def test_an_older_schema_is_brought_up_to_date_before_it_is_in_place(story: Story) -> None:
    migrate.downgrade(f"sqlite:///{story.file}", "0002")
    with closing(sqlite3.connect(story.file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    assert story.sso.json("backup", "--check", str(story.file))["schema"] == "older"
    story.restore()
    nobody_came_back(story)


def test_a_restoration_that_the_backup_had_not_finished_is_answered_too(story: Story) -> None:
    stores = SqlStores.open(f"sqlite:///{story.file}")
    state = stores.restorations.state()
    after = state.newest.restoration_id if state is not None else ""
    if not after:
        stores.restorations.begin(
            Restoration("res-0", Cause.FIRST_SEEN.value, 1, 0, False, "", finished_at=1), after=""
        )
        after = "res-0"
    assert stores.restorations.begin(Restoration("res-1", "mark", 2, 0, False, ""), after=after)
    stores.close()
    story.restore()
    nobody_came_back(story)


def test_sessions_that_a_clock_ahead_had_opened_end_as_well(story: Story) -> None:
    with closing(sqlite3.connect(story.file, isolation_level=None)) as connection:
        connection.execute("UPDATE sessions SET created_at = created_at + 3600000, auth_time = auth_time + 3600000")
    assert story.restore()["sessions_ended"] == 1
    nobody_came_back(story)


def test_nothing_is_replaced_while_somebody_has_it_open(story: Story) -> None:
    def refused() -> str:
        return story.sso.run("restore", str(story.file), "--yes", code=1).stderr

    with story.built():
        # It has asked for nothing yet.
        assert "in use" in refused()
    # An older version, or a shell, that knows nothing of our lock.
    with closing(sqlite3.connect(story.database)) as foreign:
        foreign.execute("PRAGMA journal_mode = WAL")
        foreign.execute("SELECT count(*) FROM users").fetchone()
        assert "in use" in refused()
    assert "dora" in story.names()
    story.restore()


def test_a_process_that_was_killed_is_in_nobodys_way(story: Story) -> None:
    def hold() -> None:
        with story.built() as built:
            built.sql.users.list_users(1)
            os.kill(os.getpid(), signal.SIGKILL)

    child = Forked(hold)
    os.waitpid(child.pid, 0)
    os.close(child._answers)
    story.restore()
    nobody_came_back(story)


def test_what_a_killed_restore_left_is_in_nobodys_way(story: Story) -> None:
    for side in ("-wal", "-journal"):
        story.database.with_name(f"{story.database.name}-restoring{side}").write_bytes(b"left" * 1000)
    story.restore()
    nobody_came_back(story)


def test_nobody_opens_the_database_while_it_is_replaced(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = []
    whole = replacing._settle

    def settle(path: Path) -> None:
        with pytest.raises(Unavailable) as refused:
            Presence(str(story.database)).enter()
        refusals.append(refused.value.detail)
        whole(path)

    monkeypatch.setattr(replacing, "_settle", settle)
    story.restore()
    assert len(refusals) == 2
    assert "sso restore" in refusals[0]


def test_a_damaged_database_is_kept_and_replaced(story: Story) -> None:
    raw = bytearray(story.database.read_bytes())
    raw[:4096] = b"\xff" * 4096
    story.database.write_bytes(raw)
    done = story.restore()
    nobody_came_back(story)
    assert Path(done["replaced"]).read_bytes() == bytes(raw)
    assert done["undone"] == []


def test_the_log_of_a_database_that_can_not_be_read_is_never_played_into_the_backup(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = story.database.with_name("lockstep.sqlite3-wal")
    log.write_bytes(b"what is left of its log")
    whole = replacing._settle

    def settle(path: Path) -> None:
        if path == story.database:
            raise sqlite3.DatabaseError("database disk image is malformed")
        whole(path)

    monkeypatch.setattr(replacing, "_settle", settle)
    done = story.restore()
    assert Path(done["replaced"] + "-wal").read_bytes() == b"what is left of its log"
    nobody_came_back(story)
