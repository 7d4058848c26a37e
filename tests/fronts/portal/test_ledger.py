"""The administrator's pages over the ledger: who may see them, what they list, what their buttons do."""

from urllib.parse import parse_qs, urlsplit

import pytest

from sso_server.core.events import EventKind
from sso_server.core.notifications import Answer, State, after_answer
from sso_server.core.sessions import EndReason, Session
from tests.fronts.portal.pages import PASSWORD, STORE, Browser, Centre


@pytest.fixture
def admin(centre: Centre, browser: Browser) -> Browser:
    centre.services.accounts.add("root", PASSWORD, is_admin=True, actor="test")
    browser.sign_in("root")
    return browser


def signed_out(centre: Centre, *visits: tuple[str, str], username: str = "alice") -> Session:
    """Somebody opened these sites and signed out."""
    if centre.services.users.find_by_username(username) is None:
        centre.add_user(username)
    user = centre.services.accounts.get(username)
    phone = centre.browser()
    phone.sign_in(username)
    session = max(centre.sessions(user), key=lambda found: found.created_at)
    for client_id, store_id in visits:
        client = centre.services.clients.find(client_id) or centre.add_site(client_id, client_id.title())
        centre.visit(session, client, store_id)
    ended = centre.services.sign_out.end(session.sid, EndReason.SIGN_OUT, actor="user")
    assert ended is not None
    return ended.session


def answer(centre: Centre, status: int | None, error: str = "") -> None:
    """Every site that is called answers this."""
    now = centre.services.clock.now()
    rows = centre.built.sql.outbox.claim("test", now, 100, 30_000)
    centre.built.sql.outbox.record([after_answer(row, Answer(status, error), now, lambda: 0.5) for row in rows], now)


def give_up(centre: Centre, session: Session, client_id: str) -> None:
    centre.services.ledger.abandon(session.sid, client_id, "cli", centre.services.clock.now())


def events(centre: Centre, session: Session, kind: EventKind) -> list[tuple[str, str]]:
    found = centre.services.audit.list_events(20, sid=session.sid, kind=kind)
    return [(event.client_id, event.actor) for event in found]


def row_of(centre: Centre, session: Session, client_id: str) -> tuple[State, str]:
    rows = centre.services.ledger.of_session(session.sid)
    return next((row.state, row.last_error) for row in rows if row.client_id == client_id)


PATHS = ("", "/{sid}", "/{sid}/abandon?site=shop")


@pytest.mark.parametrize("path", PATHS)
def test_whoever_is_no_administrator_is_told_so_and_sees_nothing(centre: Centre, browser: Browser, path: str) -> None:
    session = signed_out(centre, ("shop", ""))
    centre.add_user("bob")
    browser.sign_in("bob")
    for sid in (session.sid, session.sid[:-4] + "aaaa"):
        page = browser.get("/admin/sign-outs" + path.format(sid=sid))
        assert page.status == 403
        assert "The account that you are signed in with isn't an administrator's." in page.text
        assert "For the developer" not in page.text, "it is said already"
        assert session.sid not in page.text
        address = "/admin/sign-outs" + path.format(sid=sid)
        told = browser.http.get(address, headers={"Accept": "application/json"}).get_json()
        assert (told["error"], told["error_description"]) == ("administrators_only", "This page is for administrators.")
    assert "/admin/" not in browser.get("/sessions").text


@pytest.mark.parametrize("verb", ["retry", "abandon"])
def test_nobody_else_can_press_the_buttons(centre: Centre, browser: Browser, verb: str) -> None:
    session = signed_out(centre, ("shop", ""))
    answer(centre, 503)
    before = centre.services.ledger.of_session(session.sid)
    address = f"/admin/sign-outs/{session.sid}/{verb}"
    token = browser.get("/sign-in").form("/sign-in")["csrf_token"]
    assert browser.post(address, site="shop", csrf_token=token).location.startswith("/sign-in?then=")
    centre.add_user("bob")
    browser.sign_in("bob")
    token = browser.get("/sessions").form("/sessions/end")["csrf_token"]
    assert browser.post(address, site="shop", csrf_token=token).status == 403
    assert centre.services.ledger.of_session(session.sid) == before


@pytest.mark.parametrize("verb", ["retry", "abandon"])
def test_another_site_cannot_press_an_administrators_button(centre: Centre, admin: Browser, verb: str) -> None:
    session = signed_out(centre, ("shop", ""))
    answer(centre, 503)
    before = centre.services.ledger.of_session(session.sid)
    page = admin.post(f"/admin/sign-outs/{session.sid}/{verb}", site="shop", csrf_token="forged")
    assert page.status == 400
    assert "please press the button once more" in page.text
    assert centre.services.ledger.of_session(session.sid) == before
    assert admin.submit(page, f"/admin/sign-outs/{session.sid}/{verb}", "shop").status == 303


@pytest.mark.parametrize("path", PATHS[:2])
def test_whoever_is_signed_out_signs_in_and_comes_back(centre: Centre, admin: Browser, path: str) -> None:
    session = signed_out(centre, ("shop", ""))
    address = "/admin/sign-outs" + path.format(sid=session.sid)
    stranger = centre.browser()
    asked = stranger.get(address).location
    assert asked.startswith("/sign-in?then=sign-outs")
    assert stranger.sign_in("root", path=asked).location == address


@pytest.mark.parametrize("then", ["sign-outs:", "sign-outs://evil.example/", "sign-outs:../../x", "/admin/sign-outs"])
def test_no_other_address_can_be_smuggled_into_the_way_back(centre: Centre, browser: Browser, then: str) -> None:
    centre.add_user()
    assert browser.sign_in("alice", path=f"/sign-in?then={then}").location == "/"


def test_the_list_is_in_the_navigation_and_says_when_there_is_nothing(admin: Browser) -> None:
    assert 'href="/admin/sign-outs"' in admin.get("/sessions").text
    assert "No session has ended lately." in admin.get("/admin/sign-outs").text
    assert "Every site has been told." in admin.get("/admin/sign-outs?unfinished=1").text


def test_each_sign_out_is_listed_with_person_reason_and_what_its_sites_were_told(
    centre: Centre, admin: Browser
) -> None:
    session = signed_out(centre, ("shop", ""), ("wiki", STORE))
    answer(centre, 200)
    page = admin.get("/admin/sign-outs")
    assert f'href="/admin/sign-outs/{session.sid}"' in page.text
    for words in ("alice", "just now", "signed out", "1 of 2 signed out, 1 safe"):
        assert words in page.text


def test_the_list_is_filtered_by_person_and_by_what_is_unfinished(centre: Centre, admin: Browser) -> None:
    told = signed_out(centre, ("shop", ""))
    answer(centre, 200)
    untold = signed_out(centre, ("shop", ""), username="bob")
    for query, listed in (
        ("", {told, untold}),
        ("?unfinished=1", {untold}),
        ("?user=ALICE", {told}),
        ("?user=alice&unfinished=1", set()),
    ):
        page = admin.get("/admin/sign-outs" + query)
        assert {s for s in (told, untold) if s.sid in page.text} == listed
    unknown = admin.get("/admin/sign-outs?user=%3Cb%3Enobody")
    assert unknown.status == 404
    assert "There is no user &lt;b&gt;nobody." in unknown.text


def test_a_long_list_goes_on_page_by_page_and_loses_none(centre: Centre, admin: Browser) -> None:
    sids = {signed_out(centre).sid for _ in range(30)}
    with centre.built.sql.sessions._database.write() as connection:
        # All in one millisecond: what a mass end looks like at its worst.
        connection.exec_driver_sql("UPDATE sessions SET ended_at = 1790000000000 WHERE ended_at IS NOT NULL")
    seen: list[str] = []
    address = "/admin/sign-outs?user=alice"
    while address and len(seen) < 60:
        page = admin.get(address)
        seen += [sid for sid in sids if f"/admin/sign-outs/{sid}" in page.text]
        older = page.text.split('rel="next"')[0].rsplit('href="', 1)[1] if 'rel="next"' in page.text else ""
        address = older.split('"')[0].replace("&amp;", "&")
        assert not address or parse_qs(urlsplit(address).query)["user"] == ["alice"]
    assert sorted(seen) == sorted(sids)
    assert "There are no older ones." in admin.get("/admin/sign-outs?before=1").text


@pytest.mark.parametrize(
    "query", ["before=x", "before=-1", f"before={'9' * 16}", "before=1&before_sid=x", "user=a&user=b"]
)
def test_a_damaged_address_is_a_page_that_says_so(admin: Browser, query: str) -> None:
    assert admin.get("/admin/sign-outs?" + query).status == 400


def test_a_sign_out_shows_each_site_with_what_went_wrong_and_its_cure(centre: Centre, admin: Browser) -> None:
    centre.add_site("quiet", "Quiet", backchannel_logout_uri="")
    session = signed_out(centre, ("shop", ""), ("wiki", STORE), ("quiet", ""))
    answer(centre, 404)
    page = admin.get(f"/admin/sign-outs/{session.sid}")
    for words in (
        "Sign-out of alice", "the person", "Nothing is there (404)", "Compare the registered path", "To be told",
        "no bound known", "No logout address", "Register one, or let it ask", STORE, "in 60 seconds",
    ):  # fmt: skip
        assert words in page.text


@pytest.mark.parametrize("sid", ["sid-07-" + "a" * 32, "nonsense", "live"])
def test_a_session_that_has_not_ended_has_no_page(centre: Centre, admin: Browser, sid: str) -> None:
    if sid == "live":
        (session,) = centre.sessions(centre.services.accounts.get("root"))
        sid = session.sid
    assert admin.get(f"/admin/sign-outs/{sid}").status == 404
    token = admin.get("/sessions").form("/sessions/end")["csrf_token"]
    assert admin.post(f"/admin/sign-outs/{sid}/retry", csrf_token=token).status == 404


def test_a_site_is_tried_again_by_name_and_the_audit_says_by_whom(centre: Centre, admin: Browser) -> None:
    session = signed_out(centre, ("shop", ""), ("wiki", ""))
    answer(centre, 503)
    address = f"/admin/sign-outs/{session.sid}"
    page = admin.submit(admin.get(address), f"{address}/retry", 'value="wiki"')
    assert page.location == f"{address}?done=told"
    shown = admin.get(page.location)
    assert "Being told again now." in shown.text
    assert "root had Wiki told again." in shown.text
    due = {row.client_id: row.next_attempt_at for row in centre.services.ledger.of_session(session.sid)}
    assert due["wiki"] <= centre.services.clock.now() < due["shop"]
    assert events(centre, session, EventKind.NOTIFICATION_RETRIED) == [("wiki", "admin:root")]


def test_all_that_can_be_tried_again_is_tried_by_one_button(centre: Centre, admin: Browser) -> None:
    session = signed_out(centre, ("shop", ""), ("wiki", ""))
    answer(centre, 503)
    address = f"/admin/sign-outs/{session.sid}"
    admin.submit(admin.get(address), f"{address}/retry", "Tell all")
    now = centre.services.clock.now()
    assert all(row.next_attempt_at <= now for row in centre.services.ledger.of_session(session.sid))
    assert events(centre, session, EventKind.NOTIFICATION_RETRIED) == [("", "admin:root")]


def test_giving_up_asks_first_and_keeps_the_name(centre: Centre, admin: Browser) -> None:
    session = signed_out(centre, ("shop", ""), ("wiki", ""))
    answer(centre, 503)
    address = f"/admin/sign-outs/{session.sid}"
    assert f"{address}/abandon?site=shop" in admin.get(address).text
    asked = admin.get(f"{address}/abandon?site=shop")
    assert "Give Shop up?" in asked.text
    assert row_of(centre, session, "shop")[0] is State.PENDING
    done = admin.submit(asked, f"{address}/abandon")
    assert "Given up." in admin.get(done.location).text
    assert row_of(centre, session, "shop") == (State.ABANDONED, "by:root")
    assert row_of(centre, session, "wiki")[0] is State.PENDING
    assert events(centre, session, EventKind.NOTIFICATION_ABANDONED) == [("shop", "admin:root")]
    assert admin.submit(asked, f"{address}/abandon").location == f"{address}?done=over"
    assert admin.get(f"{address}/abandon?site=shop").location == f"{address}?done=over"
    assert admin.get(f"{address}/abandon?site=nobody").status == 404


def test_no_site_is_not_taken_for_every_site(centre: Centre, admin: Browser) -> None:
    session = signed_out(centre, ("shop", ""))
    page = admin.get(f"/admin/sign-outs/{session.sid}/abandon?site=shop")
    assert admin.submit(page, f"/admin/sign-outs/{session.sid}/abandon", site="").status == 404
    assert row_of(centre, session, "shop")[0] is State.PENDING


def test_what_is_over_has_no_buttons(centre: Centre, admin: Browser) -> None:
    session = signed_out(centre, ("shop", ""))
    answer(centre, 200)
    page = admin.get(f"/admin/sign-outs/{session.sid}")
    assert "/retry" not in page.text
    assert "/abandon" not in page.text
    give_up(centre, session, "shop")
    assert row_of(centre, session, "shop")[0] is State.ACKNOWLEDGED
