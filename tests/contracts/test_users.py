from dataclasses import replace

from sso_server.core.events import Event, EventKind
from sso_server.core.users import EndOrder, User
from tests.support.builders import NOW


def a_user(username="alice", /, **changes):
    return replace(User(f"usr-{username}", username, "$argon2id$old", NOW), **changes)


def an_order(order_id="ord-1", **changes):
    return replace(EndOrder(order_id, "password_change", NOW, user_id="usr-alice"), **changes)


def names(users):
    return [user.username for user in users]


def test_an_account_is_kept_as_it_was_added(sql_stores):
    user = a_user(
        "Alice",
        name="艾丽斯",
        email="alice@example.org",
        email_verified=True,
        groups=("staff", "管理"),
        is_admin=True,
        locale="zh-CN",
        version=3,
        disabled_at=NOW + 1,
    )
    assert sql_stores.users.add(user)
    assert sql_stores.users.find("usr-Alice") == user
    assert sql_stores.users.find_by_username("alice") == user
    assert sql_stores.users.find("usr-alice") is None
    assert sql_stores.users.find_by_username("Alice") is None, "the caller folds"


def test_a_name_is_taken_whatever_its_case_and_width(sql_stores):
    assert sql_stores.users.add(a_user("Alice"))
    assert not sql_stores.users.add(a_user("alice"))
    assert not sql_stores.users.add(a_user("ALICE", user_id="usr-2"))
    assert not sql_stores.users.add(a_user("\uff21lice", user_id="usr-3"))
    assert len(sql_stores.users.list_users(10)) == 1


def test_accounts_are_listed_by_folded_name_and_page_by_page(sql_stores):
    for name in ("carol", "Bob", "alice", "Dave"):
        sql_stores.users.add(a_user(name, is_admin=name in {"Bob", "Dave"}))
    assert names(sql_stores.users.list_users(2)) == ["alice", "Bob"]
    assert names(sql_stores.users.list_users(10, after="bob")) == ["carol", "Dave"]
    assert names(sql_stores.users.list_users(10, admins_only=True)) == ["Bob", "Dave"]
    assert names(sql_stores.users.list_users(10, after="bob", admins_only=True)) == ["Dave"]


def test_an_update_writes_the_whole_row_and_the_version_stays(sql_stores):
    sql_stores.users.add(a_user())
    changed = a_user(name="Alice A.", email="a@example.org", groups=("x",), is_admin=True, locale="zh")
    assert sql_stores.users.update(changed)
    assert sql_stores.users.find("usr-alice") == changed


def test_an_update_with_an_order_grows_the_version_and_writes_the_order_with_it(sql_stores):
    sql_stores.users.add(a_user(version=4))
    changed = a_user(version=4, password_hash="$argon2id$new")
    assert sql_stores.users.update(changed, an_order(user_version=1, keep_sid="sid-x", revoke_grants=True))
    assert sql_stores.users.find("usr-alice") == replace(changed, version=5)
    assert sql_stores.end_orders.list_unfinished() == [an_order(user_version=5, keep_sid="sid-x", revoke_grants=True)]


def test_a_change_and_its_line_in_the_audit_are_one_step(sql_stores):
    added, changed, stale = (
        Event(NOW + n, kind, user_id="usr-alice", actor="cli", data={"n": n})
        for n, kind in enumerate((EventKind.USER_ADDED, EventKind.USER_CHANGED, EventKind.USER_CHANGED))
    )
    assert sql_stores.users.add(a_user(), added)
    assert not sql_stores.users.add(a_user("ALICE", user_id="usr-2"), stale)
    assert sql_stores.users.update(a_user(name="first"), an_order(), changed)
    assert not sql_stores.users.update(a_user(name="second"), None, stale)
    assert sql_stores.audit.list_events(5) == [changed, added]


def test_whoever_was_slower_changes_nothing_and_orders_nothing(sql_stores):
    sql_stores.users.add(a_user())
    assert sql_stores.users.update(a_user(name="first"), an_order("ord-1"))
    assert not sql_stores.users.update(a_user(name="second"), an_order("ord-2"))
    assert not sql_stores.users.update(a_user("nobody"), an_order("ord-3"))
    found = sql_stores.users.find("usr-alice")
    assert (found.name, found.version) == ("first", 2)
    assert [order.order_id for order in sql_stores.end_orders.list_unfinished()] == ["ord-1"]


def test_a_new_name_that_is_taken_is_refused_and_the_order_with_it(sql_stores):
    sql_stores.users.add(a_user("alice"))
    sql_stores.users.add(a_user("bob"))
    assert not sql_stores.users.update(a_user("bob", username="Alice"), an_order())
    assert sql_stores.users.find("usr-bob") == a_user("bob")
    assert sql_stores.end_orders.list_unfinished() == []


def test_a_rehash_replaces_only_the_hash_it_was_made_from(sql_stores):
    sql_stores.users.add(a_user())
    sql_stores.users.rehash("usr-alice", "$argon2id$other", "$argon2id$lost")
    assert sql_stores.users.find("usr-alice") == a_user()
    sql_stores.users.rehash("usr-alice", "$argon2id$old", "$argon2id$new")
    assert sql_stores.users.find("usr-alice") == a_user(password_hash="$argon2id$new")
