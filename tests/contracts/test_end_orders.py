from dataclasses import replace

from sso_server.core.users import EndOrder
from tests.support.builders import NOW


def an_order(order_id, created_at=NOW, **changes):
    return replace(EndOrder(order_id, "administrator", created_at), **changes)


def test_an_order_is_kept_as_it_was_written(sql_stores):
    order = an_order(
        "ord-1", user_id="usr-alice", user_version=3, client_id="shop", keep_sid="sid-1", revoke_grants=True
    )
    sql_stores.end_orders.add(order)
    assert sql_stores.end_orders.list_unfinished() == [order]


def test_writing_an_order_again_after_a_lost_answer_does_not_write_a_second(sql_stores):
    sql_stores.end_orders.add(an_order("ord-1"))
    sql_stores.end_orders.progress("ord-1", 7, None)
    sql_stores.end_orders.add(an_order("ord-1"))
    assert sql_stores.end_orders.list_unfinished() == [an_order("ord-1", ended=7)]


def test_unfinished_orders_come_oldest_first(sql_stores):
    for order_id, created_at in (("ord-c", NOW + 2), ("ord-a", NOW + 1), ("ord-b", NOW)):
        sql_stores.end_orders.add(an_order(order_id, created_at))
    assert [order.order_id for order in sql_stores.end_orders.list_unfinished()] == ["ord-b", "ord-a", "ord-c"]


def test_progress_adds_up_until_the_order_is_finished(sql_stores):
    sql_stores.end_orders.add(an_order("ord-1"))
    sql_stores.end_orders.add(an_order("ord-2"))
    sql_stores.end_orders.progress("ord-1", 200, None)
    sql_stores.end_orders.progress("ord-1", 17, None)
    assert sql_stores.end_orders.list_unfinished()[0].ended == 217
    sql_stores.end_orders.progress("ord-1", 0, NOW + 9)
    assert [order.order_id for order in sql_stores.end_orders.list_unfinished()] == ["ord-2"]
    sql_stores.end_orders.progress("ord-1", 1, None)
    assert [order.order_id for order in sql_stores.end_orders.list_unfinished()] == ["ord-2"], "finished is finished"


def test_orders_that_a_store_may_have_forgotten_are_those_not_finished_long_ago(sql_stores):
    for order_id, finished_at in (("ord-a", NOW), ("ord-b", NOW + 5), ("ord-c", None)):
        sql_stores.end_orders.add(an_order(order_id, NOW + ord(order_id[-1])))
        sql_stores.end_orders.progress(order_id, 1, finished_at)
    assert [order.order_id for order in sql_stores.end_orders.list_since(NOW + 1)] == ["ord-b", "ord-c"]
    assert [order.finished_at for order in sql_stores.end_orders.list_since(NOW)] == [NOW, NOW + 5, None]
