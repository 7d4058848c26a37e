"""Lists that go over more than one page, and over buckets of every size."""

import pytest

from sso_server.core.policy import MINUTE
from sso_server.stores.redis import ledger, lists
from tests.stores.redis.story import NOW, new_session

SIZES = {0: 1, 3: 4, 4: 17, 5: 2, 40: 9, 63: 3}


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(lists, "_PAGE", 5)
    monkeypatch.setattr(ledger, "_PAGE", 5)


@pytest.fixture
def everybody(stores):
    sessions = [
        new_session(bucket, user_id=f"usr-{n % 3}", user_version=1 + n % 2)
        for bucket, size in SIZES.items()
        for n in range(size)
    ]
    for session in sessions:
        stores.sessions.open(session, NOW, MINUTE)
    return sessions


def sids(sessions):
    return [session.sid for session in sessions]


def test_a_list_of_live_sessions_goes_through_all_pages_in_order(stores, everybody):
    assert sids(stores.lists.list_live(NOW, 1000)) == sorted(sids(everybody))
    assert stores.lists.count_live(NOW) == len(everybody)


@pytest.mark.parametrize("limit", [1, 4, 5, 6, 22, 36])
def test_going_on_after_the_last_sid_misses_none_whatever_the_limit(stores, everybody, limit):
    seen: list[str] = []
    while page := stores.lists.list_live(NOW, limit, older_than_version=2, after_sid=seen[-1] if seen else ""):
        assert len(page) <= limit
        seen += sids(page)
    assert seen == sorted(session.sid for session in everybody if session.user_version < 2)


@pytest.mark.parametrize("limit", [1, 4, 7, 1000])
def test_ended_sessions_come_newest_first_across_buckets(stores, everybody, limit):
    for n, session in enumerate(everybody):
        # Far apart, so that one bucket holds many of the newest.
        stores.sessions.end(session.sid, "sign_out", NOW + n // 2 * 10 + n % 2)
    ended = stores.ledger.list_ended(1000)
    assert sids(ended) == sids(reversed(everybody))
    paged: list[str] = []
    before = 0
    while page := stores.ledger.list_ended(limit, before=before):
        paged += sids(page)
        before = page[-1].ended_at or 0
    assert paged == sids(ended)


@pytest.mark.parametrize("limit", [1, 7])
def test_those_of_one_millisecond_come_in_one_order_however_they_are_read(stores, everybody, limit):
    for session in everybody:
        stores.sessions.end(session.sid, "sign_out", NOW)
    paged, cursor = [], {}
    while (page := stores.ledger.list_ended(limit, **cursor)) and len(paged) < 2 * len(everybody):
        paged += sids(page)
        cursor = {"before": page[-1].ended_at, "before_sid": page[-1].sid}
    assert paged == sorted(sids(everybody), reverse=True)


def test_ended_sessions_of_a_person_are_found_through_the_index(stores, everybody):
    for n, session in enumerate(everybody):
        stores.sessions.end(session.sid, "sign_out", NOW + n)
    theirs = [session.sid for session in reversed(everybody) if session.user_id == "usr-1"]
    assert sids(stores.ledger.list_ended(1000, user_id="usr-1")) == theirs
    assert (
        sids(stores.ledger.list_ended(2, user_id="usr-1", before=NOW + len(everybody) - 5))
        == [sid for sid in theirs if sid in sids(everybody[: len(everybody) - 5])][:2]
    )
