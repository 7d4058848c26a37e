from sso_server.core.events import Event, EventKind
from tests.support.builders import NOW


def at(offset, kind=EventKind.SIGNED_IN, **changes):
    return Event(NOW + offset, kind, **changes)


def test_an_event_is_kept_as_it_was_written(sql_stores):
    event = Event(
        NOW,
        EventKind.SESSION_ENDED,
        user_id="usr-alice",
        sid="sid-1",
        client_id="shop",
        actor="管理员",
        data={"reason": "sign_out", "count": 3, "none": None},
    )
    sql_stores.audit.append(event)
    assert sql_stores.audit.list_events(10) == [event]


def test_events_come_newest_first_and_those_of_one_moment_in_reverse_order_of_writing(sql_stores):
    first, second, third = at(0, actor="1"), at(5, actor="2"), at(5, actor="3")
    sql_stores.audit.append(second, third)
    sql_stores.audit.append(first)
    sql_stores.audit.append()
    assert sql_stores.audit.list_events(10) == [third, second, first]
    assert sql_stores.audit.list_events(1) == [third]
    assert sql_stores.audit.list_events(10, before=NOW + 5) == [first]


def test_events_are_filtered_by_kind_person_and_session(sql_stores):
    alice = at(1, user_id="usr-alice", sid="sid-1")
    bob = at(2, user_id="usr-bob", sid="sid-2")
    ended = at(3, EventKind.SESSION_ENDED, user_id="usr-alice", sid="sid-1")
    sql_stores.audit.append(alice, bob, ended)
    listed = sql_stores.audit.list_events
    assert listed(10, kind=EventKind.SIGNED_IN) == [bob, alice]
    assert listed(10, user_id="usr-alice") == [ended, alice]
    assert listed(10, sid="sid-2") == [bob]
    assert listed(10, kind=EventKind.SESSION_ENDED, user_id="usr-bob") == []


def test_old_events_are_dropped_oldest_first_and_no_more_than_asked(sql_stores):
    sql_stores.audit.append(*(at(n) for n in range(5)))
    assert sql_stores.audit.purge_events(NOW + 3, 2) == 2
    assert [event.at - NOW for event in sql_stores.audit.list_events(10)] == [4, 3, 2]
    assert sql_stores.audit.purge_events(NOW + 3, 2) == 1
    assert sql_stores.audit.purge_events(NOW + 3, 2) == 0
    assert [event.at - NOW for event in sql_stores.audit.list_events(10)] == [4, 3]
