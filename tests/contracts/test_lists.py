from sso_server.core.policy import DAY, MINUTE
from tests.support.builders import IDLE, NOW, opened, registered, store_id


def sids(sessions):
    return [session.sid for session in sessions]


def test_list_live_goes_through_all_sessions_by_sid(stores):
    everyone = sorted(opened(stores).sid for _ in range(7))
    pages = [stores.lists.list_live(NOW, 3)]
    while pages[-1] and len(pages) < 9:
        pages.append(stores.lists.list_live(NOW, 3, after_sid=pages[-1][-1].sid))
    assert [sids(page) for page in pages] == [everyone[:3], everyone[3:6], everyone[6:], []]


def test_list_live_leaves_out_the_ended_and_keeps_the_due(stores):
    gone, stays = opened(stores), opened(stores)
    stores.sessions.end(gone.sid, "sign_out", NOW)
    assert sids(stores.lists.list_live(NOW + 2 * DAY, 10)) == [stays.sid]
    assert stores.lists.count_live(NOW + IDLE) == 1


def test_list_live_of_a_person(stores):
    opened(stores)
    bobs = sorted(opened(stores, user_id="usr-bob").sid for _ in range(2))
    assert sids(stores.lists.list_live(NOW, 10, user_id="usr-bob")) == bobs
    assert sids(stores.lists.list_live(NOW, 10, user_id="usr-bob", after_sid=bobs[0])) == bobs[1:]
    assert stores.lists.list_live(NOW, 10, user_id="usr-carol") == []


def test_list_live_of_a_client_takes_any_of_its_stores(stores):
    opened(stores)
    one, two = opened(stores), opened(stores)
    registered(stores, one, "shop")
    registered(stores, two, "shop", store_id=store_id(), reports=True)
    registered(stores, two, "shop", store_id=store_id(), reports=True)
    registered(stores, two, "wiki")
    assert sids(stores.lists.list_live(NOW, 10, client_id="shop")) == sorted([one.sid, two.sid])
    assert sids(stores.lists.list_live(NOW, 10, client_id="wiki")) == [two.sid]


def test_list_live_of_older_versions_only(stores):
    old = opened(stores, user_version=1)
    opened(stores, user_version=2)
    assert sids(stores.lists.list_live(NOW, 10, user_id="usr-alice", older_than_version=2)) == [old.sid]


def test_list_live_of_sessions_opened_before(stores):
    old = opened(stores)
    opened(stores, NOW + MINUTE)
    assert sids(stores.lists.list_live(NOW, 10, opened_before=NOW + MINUTE)) == [old.sid]


def test_conditions_add_up(stores):
    wanted = opened(stores, user_id="usr-bob")
    registered(stores, wanted, "shop")
    registered(stores, opened(stores), "shop")
    opened(stores, user_id="usr-bob")
    assert sids(stores.lists.list_live(NOW, 10, user_id="usr-bob", client_id="shop")) == [wanted.sid]


def test_participants_come_in_the_order_of_registration(stores):
    session = opened(stores)
    store = store_id()
    registered(stores, session, "wiki")
    registered(stores, session, "shop", store_id=store, reports=True)
    registered(stores, session, "blog", logout_uri="", local_max_ms=MINUTE)
    registered(stores, opened(stores), "other")
    sites = stores.lists.participants(session.sid)
    assert [site.client_id for site in sites] == ["wiki", "shop", "blog"]
    assert [(site.store_id, site.reports) for site in sites] == [("", False), (store, True), ("", False)]
    assert (sites[2].logout_uri, sites[2].registered_at, sites[2].local_until) == ("", NOW, NOW + MINUTE)
    assert sites[0].kind == "oidc"


def test_a_session_without_sites_has_no_participants(stores):
    assert stores.lists.participants(opened(stores).sid) == []


def test_count_live_counts(stores):
    assert stores.lists.count_live(NOW) == 0
    sessions = [opened(stores) for _ in range(3)]
    assert stores.lists.count_live(NOW) == 3
    stores.sessions.end(sessions[0].sid, "sign_out", NOW)
    assert stores.lists.count_live(NOW) == 2
