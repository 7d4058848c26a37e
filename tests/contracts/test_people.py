"""The directory of people over a real store: what a process has cached, and when it hears of a change."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sso_server.core import people
from sso_server.core.people import People
from sso_server.core.users import User
from tests.support.builders import NOW
from tests.support.clocks import SetClock

ALICE = User("usr-alice", "alice", "$argon2id$old", NOW)


class Counted:
    """The store, and how often it was asked for a person; `meanwhile` happens when a row has been read."""

    def __init__(self, users):
        self._users = users
        self.generation = users.generation
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def find(self, user_id):
        self.asked += 1
        found, meanwhile, self.meanwhile = self._users.find(user_id), self.meanwhile, lambda: None
        meanwhile()
        return found


@pytest.fixture
def store(sql_stores):
    sql_stores.users.add(ALICE)
    return Counted(sql_stores.users)


def test_a_person_is_read_once_and_told_without_the_passwords_hash(store):
    here = People(store, SetClock(NOW))
    assert here.find("usr-alice") == here.find("usr-alice") == replace(ALICE, password_hash="")
    assert store.asked == 1


def test_a_change_by_another_process_is_seen_after_a_second(sql_stores, store):
    clock = SetClock(NOW)
    here = People(store, clock)
    assert here.find("usr-alice").name == ""
    sql_stores.users.update(replace(ALICE, name="Alice"))
    assert here.find("usr-alice").name == "", "nobody has told this process"
    clock.pass_ms(1000)
    assert here.find("usr-alice").name == "Alice"
    clock.pass_ms(1000)
    assert here.find("usr-alice").name == "Alice"
    assert store.asked == 2, "without a change nothing is read again"


def test_a_change_by_this_process_is_seen_at_once(sql_stores, store):
    here = People(store, SetClock(NOW))
    assert here.find("usr-alice").disabled_at is None
    sql_stores.users.update(replace(ALICE, disabled_at=NOW))
    here.changed()
    assert here.find("usr-alice").disabled_at == NOW


def test_a_row_read_just_before_a_change_is_not_kept_beyond_the_second(sql_stores, store):
    clock = SetClock(NOW)
    here = People(store, clock)

    def meanwhile():
        sql_stores.users.update(replace(ALICE, name="Alice"))
        clock.pass_ms(1000)
        # Another thread's question: it finds the new generation while the old row is on its way.
        assert here.find("usr-alice").name == "Alice"

    store.meanwhile = meanwhile
    assert here.find("usr-alice").name == "", "what was read when it was asked"
    assert here.find("usr-alice").name == "Alice"


def test_an_account_made_a_moment_later_is_there(sql_stores, store):
    here = People(store, SetClock(NOW))
    assert here.find("usr-bob") is None
    sql_stores.users.add(User("usr-bob", "bob", "", NOW))
    assert here.find("usr-bob").username == "bob"


def test_whoever_was_asked_about_longest_ago_is_forgotten(sql_stores, store, monkeypatch):
    monkeypatch.setattr(people, "MOST", 2)
    for name in ("bob", "carol"):
        sql_stores.users.add(User(f"usr-{name}", name, "", NOW))
    here = People(store, SetClock(NOW))
    for name in ("alice", "bob", "alice", "carol"):
        here.find(f"usr-{name}")
    assert store.asked == 3
    here.find("usr-alice")
    assert store.asked == 3
    here.find("usr-bob")
    assert store.asked == 4


def test_a_row_changed_by_hand_is_read_again_within_a_minute(sql_stores, store):
    clock = SetClock(NOW)
    here = People(store, clock)
    here.find("usr-alice")
    with sql_stores.database.write() as connection:
        connection.exec_driver_sql("UPDATE users SET name = 'By hand'")
    clock.pass_ms(people.LONGEST_MS)
    assert here.find("usr-alice").name == "By hand"


def test_each_change_of_an_account_counts_and_nothing_else_does(sql_stores, store):
    users = sql_stores.users
    before = users.generation()
    users.rehash("usr-alice", "$argon2id$old", "$argon2id$new")
    assert not users.update(replace(ALICE, version=7))
    assert users.generation() == before
    assert users.update(replace(ALICE, name="Alice"))
    assert users.generation() == before + 1
