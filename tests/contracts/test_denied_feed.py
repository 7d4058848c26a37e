"""Reading the feed of what APIs must refuse: from a place on, in parts, beside the ends."""

import pytest

from sso_server.core.denials import OVERLAP_US
from tests.contracts.test_denials import ask, with_jwt
from tests.support.builders import NOW, opened, registered, store_id


def test_a_store_goes_on_where_it_was_and_hears_the_last_minute_once_more(stores):
    first, second = opened(stores), opened(stores)
    for session in (first, second):
        with_jwt(stores, session)
    stores.sessions.end(first.sid, "sign_out", NOW)
    answer = ask(stores)
    assert [one.name for one in answer.denied] == [first.sid]
    assert [one.name for one in ask(stores, begin=answer.denied_to).denied] == [first.sid], "what commits late"
    stores.sessions.end(second.sid, "sign_out", NOW)
    heard = answer.denied_to + OVERLAP_US
    after = ask(stores, begin=heard)
    assert [one.name for one in after.denied] == [second.sid]
    assert after.denied_to > answer.denied_to


def test_a_place_of_another_clock_is_taken_for_none(stores):
    session = opened(stores)
    with_jwt(stores, session)
    stores.sessions.end(session.sid, "sign_out", NOW)
    ahead = ask(stores).denied_to + OVERLAP_US + 3_600_000_000
    assert [one.name for one in ask(stores, begin=ahead).denied] == [session.sid]


@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_long_list_comes_in_parts(stores, most):
    # Of one step each has a place of its own; steps of one millisecond may share one.
    expected = {with_jwt(stores, opened(stores)).access.jti for _ in range(5)}
    assert stores.tokens.revoke_grants_of("usr-alice", NOW) == 5
    heard, begin, parts = set(), 0, 0
    while True:
        answer = ask(stores, begin=begin, most_denied=most)
        assert len(answer.denied) <= most
        heard |= {one.name for one in answer.denied}
        begin, parts = answer.denied_to, parts + 1
        if not answer.more:
            break
        assert parts < 6
    assert heard == expected
    assert parts == -(-5 // most)


def test_ends_and_the_feed_come_in_one_answer(stores):
    session, store = opened(stores), store_id()
    registered(stores, session, "stock", store_id=store, reports=True)
    with_jwt(stores, session)
    stores.sessions.end(session.sid, "sign_out", NOW)
    answer = ask(stores, store=store)
    assert [end.sid for end in answer.ends] == [one.name for one in answer.denied] == [session.sid]
    answer = ask(stores, store=store, acks=(session.sid,))
    assert (answer.ends, [one.name for one in answer.denied]) == ((), [session.sid])
