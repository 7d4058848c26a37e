"""What is counted, and in which row: with an invented session at two invented hosts, and one thing wrong at a time."""

import dataclasses

from sso_server.core.notifications import Notification, State
from tests.faults.evidence import Evidence, SiteRecord
from tests.faults.plan import Planned
from tests.faults.reckoning import HostFacts, Reckoning, reckon
from tests.faults.sites import SiteKind

SHOP = HostFacts("shop", SiteKind("shop", "SDK", sdk=True), "st-shop")
BLOG = HostFacts("blog", SiteKind("blog", "refuses some", refuses="http_400"), "")
END = 1_000_000


def a_row(host: HostFacts, state: State = State.ACKNOWLEDGED, **changes: object) -> Notification:
    row = Notification(
        sid="sid",
        client_id=host.kind.client_id,
        store_id=host.store_id,
        kind="oidc",
        logout_uri="http://127.0.0.1/",
        user_id="usr",
        reason="administrator",
        ended_at=END,
        local_until=END * 2,
        state=state,
    )
    return dataclasses.replace(row, **changes)


def a_session(**changes: object) -> Planned:
    session = Planned(
        1,
        "alice",
        "administrator",
        0.5,
        sid="sid",
        cookies={"shop": "cs", "blog": "cb"},
        registered={("shop", "shop"), ("blog", "blog")},
        began_at=END - 10,
        answered_at=END + 10,
    )
    return dataclasses.replace(session, **changes)


def evidence() -> Evidence:
    """All is well."""
    return Evidence(
        rows={("sid", h.kind.client_id, h.store_id): a_row(h) for h in (SHOP, BLOG)},
        ended_at={"sid": END},
        committed_at={"sid": END + 5},
        records={
            "shop": SiteRecord({"cs": [1000]}, {"cs": [END + 90]}, {"cs": [END + 50]}),
            "blog": SiteRecord({"cb": [1000]}, {"cb": [END + 90]}, {}),
        },
        says={("shop", "sid"): 401, ("blog", "sid"): 401},
        accepted={"sid": False},
    )


def count(found: Evidence, session: Planned | None = None) -> Reckoning:
    return reckon([session or a_session()], [SHOP, BLOG], found)


def failed(reckoning: Reckoning) -> dict[str, int]:
    return {row: len(faults) for row, faults in reckoning.faults.items() if faults}


def test_a_sign_out_that_everybody_heard_of_fails_nothing() -> None:
    found = count(evidence())
    assert failed(found) == {}
    assert found.holds
    assert found.states == {"acknowledged": 2}
    assert found.worst_overhang_ms == 45


def test_an_answered_end_after_which_the_session_lives_is_unaccounted() -> None:
    found = evidence()
    found.ended_at.clear()
    found.rows.clear()
    assert failed(count(found)) == {"unaccounted": 1}


def test_a_registered_site_without_a_row_is_unaccounted() -> None:
    found = evidence()
    del found.rows["sid", "blog", ""]
    assert failed(count(found)) == {"unaccounted": 1}


def test_the_ledgers_word_is_not_believed_without_the_sites_own_record() -> None:
    found = evidence()
    found.records["blog"].ended.clear()
    assert failed(count(found)) == {"unaccounted": 1}


def test_a_reachable_site_that_still_serves_is_unaccounted() -> None:
    found = evidence()
    found.rows["sid", "blog", ""] = a_row(BLOG, State.PENDING, next_attempt_at=END * 3)
    found.records["blog"].ended.clear()
    found.says["blog", "sid"] = 200
    assert failed(count(found)) == {"unaccounted": 1}


def test_a_site_that_refuses_on_purpose_is_accounted_for_by_that_name_only() -> None:
    found = evidence()
    found.records["blog"].ended.clear()
    found.says["blog", "sid"] = 200
    found.rows["sid", "blog", ""] = a_row(BLOG, State.REFUSED, last_error="http_400/3")
    assert failed(count(found)) == {}
    found.rows["sid", "blog", ""] = a_row(BLOG, State.ABANDONED, last_error="http_404/3")
    assert failed(count(found)) == {"unaccounted": 1}


def test_a_row_that_waits_for_nothing_is_unaccounted_unless_its_site_will_ask() -> None:
    found = evidence()
    found.rows["sid", "blog", ""] = a_row(BLOG, State.PENDING)
    assert failed(count(found)) == {"unaccounted": 1}
    found.rows["sid", "blog", ""] = a_row(BLOG, State.PENDING, kind="poll")
    assert failed(count(found)) == {}


def test_a_stores_row_that_waits_although_the_store_answers_is_unaccounted() -> None:
    found = evidence()
    found.rows["sid", "shop", "st-shop"] = a_row(SHOP, State.PENDING, next_attempt_at=END * 3)
    assert failed(count(found)) == {"unaccounted": 1}
    # A store that answers nobody has not heard yet, and lets nobody through.
    found.says["shop", "sid"] = 503
    assert failed(count(found)) == {}


def test_an_end_that_is_answered_before_it_is_there_is_unaccounted_and_an_orders_is_measured() -> None:
    found = evidence()
    found.committed_at["sid"] = END + 511
    assert failed(count(found)) == {"unaccounted": 1}
    assert failed(count(found, a_session(reason="password_change"))) == {}
    assert count(found, a_session(reason="password_change")).latest_end_ms == 501
    assert count(found, a_session(reason="idle", deadline=END, answered_at=0, began_at=0)).latest_end_ms == 511


def test_two_ends_of_one_local_session_are_one_too_many() -> None:
    found = evidence()
    found.records["blog"].ended["cb"].append(END + 95)
    assert failed(count(found)) == {"acted on twice": 1}


def test_a_session_that_is_served_or_opened_again_after_its_end_was_brought_back() -> None:
    found = evidence()
    found.records["shop"].admitted["cs"].append(END + 5000)
    assert failed(count(found)) == {"brought back": 1}
    found = evidence()
    found.records["shop"].opened["cs"].append(END + 91)
    assert failed(count(found)) == {"brought back": 1}


def test_a_cookie_that_the_centre_takes_after_the_end_was_brought_back() -> None:
    found = evidence()
    found.accepted["sid"] = True
    assert failed(count(found)) == {"brought back": 1}


def test_overhang_counts_from_the_commit_to_the_last_request_that_was_let_through() -> None:
    found = evidence()
    found.records["shop"] = SiteRecord({"cs": [1000]}, {"cs": [END + 9000]}, {"cs": [END, END + 5505]})
    assert failed(count(found)) == {}
    assert count(found).worst_overhang_ms == 5500
    found.records["shop"].admitted["cs"].append(END + 5506)
    assert failed(count(found)) == {"overhang": 1}


def test_no_overhang_is_counted_where_no_bound_was_promised() -> None:
    found = evidence()
    found.records["blog"] = SiteRecord({"cb": [1000]}, {"cb": [END + 90_000]}, {"cb": [END + 80_000]})
    assert failed(count(found)) == {}


def test_an_end_before_its_deadline_or_before_anybody_asked_is_early() -> None:
    assert failed(count(evidence(), a_session(began_at=END + 1))) == {"early": 1}
    assert failed(count(evidence(), a_session(reason="idle", deadline=END + 1, began_at=0))) == {"early": 1}


def test_a_control_must_be_served_everywhere_and_taken_by_the_centre() -> None:
    control = a_session(reason="")
    found = Evidence(
        records={"shop": SiteRecord({"cs": [1]}), "blog": SiteRecord({"cb": [1]})},
        says={("shop", "sid"): 200, ("blog", "sid"): 200},
        accepted={"sid": True},
    )
    assert failed(count(found, control)) == {}
    for wrong in (
        {"ended_at": {"sid": END}},
        {"accepted": {"sid": False}},
        {"says": {("shop", "sid"): 200, ("blog", "sid"): 401}},
        {"records": {"shop": SiteRecord({"cs": [1]}, {"cs": [END]}), "blog": SiteRecord({"cb": [1]})}},
    ):
        assert failed(count(dataclasses.replace(found, **wrong), control)) == {"early": 1}
