from dataclasses import replace

from sso_server.core.policy import DAY
from sso_server.core.restorations import Restoration
from sso_server.core.users import EndOrder
from tests.support.builders import NOW

KEEP = 400 * DAY
LATER = NOW + KEEP


def an_order(order_id, finished_at, sql_stores):
    sql_stores.end_orders.add(EndOrder(order_id, "administrator", NOW))
    if finished_at is not None:
        sql_stores.end_orders.progress(order_id, 3, finished_at)


def test_orders_are_forgotten_when_no_session_can_be_that_old(sql_stores):
    an_order("ord-old", NOW, sql_stores)
    an_order("ord-young", NOW + 1, sql_stores)
    an_order("ord-open", None, sql_stores)
    assert sql_stores.retention.purge_old(LATER - 1, 100) == 0
    assert sql_stores.retention.purge_old(LATER, 100) == 1
    assert {order.order_id for order in sql_stores.end_orders.list_since(0)} == {"ord-young", "ord-open"}


def test_no_more_orders_at_once_than_asked_for(sql_stores):
    for number in range(5):
        an_order(f"ord-{number}", NOW, sql_stores)
    assert [sql_stores.retention.purge_old(LATER, 2) for _ in range(4)] == [2, 2, 1, 0]


def restorations(sql_stores, *detected):
    after = ""
    for number, at in enumerate(detected):
        name = f"res-{number}"
        row = Restoration(name, "mark", at, 0, False, "", finished_at=at)
        assert sql_stores.restorations.begin(row, after=after)
        after = name
    return [row.restoration_id for row in sql_stores.restorations.rows()]


def test_a_restoration_is_forgotten_when_the_next_one_is_old(sql_stores):
    # An epoch's marks are given until the next restoration, and count for 390 days more.
    assert restorations(sql_stores, NOW - 9, NOW - 5, NOW, NOW + 10) == ["res-0", "res-1", "res-2", "res-3"]
    assert sql_stores.retention.purge_old(LATER, 100) == 1
    # The first names the installation, `res-2` was the epoch until ten milliseconds later.
    assert [row.restoration_id for row in sql_stores.restorations.rows()] == ["res-0", "res-2", "res-3"]
    assert sql_stores.restorations.state().installation == "res-0"


def test_the_first_and_the_newest_restoration_stay_for_ever(sql_stores):
    restorations(sql_stores, NOW, NOW + 1)
    sql_stores.retention.purge_old(LATER * 2, 100)
    assert [row.restoration_id for row in sql_stores.restorations.rows()] == ["res-0", "res-1"]


def test_an_unfinished_restoration_stays(sql_stores):
    restorations(sql_stores, NOW)
    row = Restoration("res-open", "mark", NOW + 1, 0, True, "")
    assert sql_stores.restorations.begin(row, after="res-0")
    sql_stores.retention.purge_old(LATER * 2, 100)
    assert sql_stores.restorations.state().unfinished == replace(row)


def test_one_time_things_go_when_they_are_over(sql_stores):
    sql_stores.one_time.put_once("over", NOW)
    sql_stores.one_time.put_once("good", NOW + 1)
    assert sql_stores.retention.purge_old(NOW, 100) == 1
    assert sql_stores.one_time.has_once("good", NOW)
