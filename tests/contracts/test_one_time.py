from tests.support.builders import NOW


def test_what_was_put_works_once(sql_stores):
    sql_stores.one_time.put_once("setup", NOW + 10)
    assert sql_stores.one_time.has_once("setup", NOW)
    assert sql_stores.one_time.has_once("setup", NOW), "looking takes nothing"
    assert sql_stores.one_time.take_once("setup", NOW)
    assert not sql_stores.one_time.take_once("setup", NOW)
    assert not sql_stores.one_time.has_once("setup", NOW)


def test_what_was_never_put_is_not_there(sql_stores):
    assert not sql_stores.one_time.has_once("setup", NOW)
    assert not sql_stores.one_time.take_once("setup", NOW)


def test_it_expires(sql_stores):
    sql_stores.one_time.put_once("setup", NOW + 10)
    assert sql_stores.one_time.has_once("setup", NOW + 9)
    assert not sql_stores.one_time.has_once("setup", NOW + 10)
    assert not sql_stores.one_time.take_once("setup", NOW + 10)


def test_putting_it_again_renews_it(sql_stores):
    sql_stores.one_time.put_once("setup", NOW + 10)
    sql_stores.one_time.put_once("setup", NOW + 99)
    assert sql_stores.one_time.take_once("setup", NOW + 50)


def test_what_replaces_others_leaves_only_itself_of_its_kind(sql_stores):
    for key in ("setup:a", "setup:b", "other:a"):
        sql_stores.one_time.put_once(key, NOW + 10)
    sql_stores.one_time.put_once("setup:c", NOW + 10, replaces="setup:")
    kept = [key for key in ("setup:a", "setup:b", "setup:c", "other:a") if sql_stores.one_time.has_once(key, NOW)]
    assert kept == ["setup:c", "other:a"]
