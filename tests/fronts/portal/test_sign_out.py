"""Signing out at the centre, and the report that follows."""

from urllib.parse import parse_qs, urlsplit

import pytest

from sso_server.core.check_in import CheckIn
from sso_server.core.errors import Unavailable
from sso_server.core.events import EventKind
from sso_server.core.notifications import Answer, State, after_answer
from sso_server.core.sessions import EndReason
from sso_server.fronts.portal.signed_out import page_of
from tests.fronts.portal.pages import PASSWORD, STORE, Browser, Centre


@pytest.fixture
def signed_in(centre: Centre, browser: Browser) -> Browser:
    centre.add_user()
    browser.sign_in("alice")
    return browser


def answer(centre: Centre, client_id: str, status: int) -> None:
    """The delivery worker heard this from the site."""
    now = centre.services.clock.now()
    rows = centre.built.sql.outbox.claim("test", now, 100, 30_000)
    results = [after_answer(row, Answer(status), now, lambda: 0.5) for row in rows if row.client_id == client_id]
    centre.built.sql.outbox.record(results, now)


def test_a_link_asks_and_ends_nothing(centre: Centre, signed_in: Browser) -> None:
    page = signed_in.get("/sign-out")
    assert "Sign out?" in page.text
    signed_in.get("/signed-out")
    signed_in.get("/signed-out.json")
    assert signed_in.get("/").status == 200


def test_the_button_ends_this_browsers_session_and_forgets_its_cookie(centre: Centre, signed_in: Browser) -> None:
    other = centre.browser()
    other.sign_in("alice")
    page = signed_in.submit(signed_in.get("/sign-out"), "/sign-out", scope="here")
    assert page.location.startswith("/signed-out?of=")
    assert signed_in.cookie("lockstep_session") == ""
    assert signed_in.get("/").location == "/sign-in"
    assert other.get("/").status == 200
    assert "You are signed out" in signed_in.get(page.location).text


def test_a_full_audit_does_not_change_what_became_of_the_session(
    centre: Centre, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = signed_in.get("/sign-out")
    monkeypatch.setattr(centre.built.sql.audit, "append", _refuse)
    page = signed_in.submit(asked, "/sign-out", scope="here")
    assert (page.status, page.location[:14]) == (303, "/signed-out?of")
    assert signed_in.cookie("lockstep_session") == ""
    assert centre.services.lists.count_live(centre.services.clock.now()) == 0


@pytest.mark.parametrize("how", ["opens the page again", "presses the button again"])
def test_whoever_is_told_that_they_are_signed_out_has_a_line_in_the_audit(
    centre: Centre, signed_in: Browser, how: str
) -> None:
    asked = signed_in.get("/sign-out")
    now, store = centre.services.clock.now(), centre.built.session_stores
    (session,) = store.lists.list_live(now, 2)
    # As when the store has ended it, and its answer never came.
    store.sessions.end(session.sid, EndReason.SIGN_OUT.value, now)
    for _ in range(2):
        if how == "opens the page again":
            assert signed_in.get("/sign-out").location == "/signed-out"
        else:
            signed_in.submit(asked, "/sign-out", scope="here")
    (line,) = centre.built.sql.audit.list_events(9, kind=EventKind.SESSION_ENDED, sid=session.sid)
    assert line.actor == "user"


def test_a_sign_in_that_the_audit_cannot_keep_leaves_no_session_behind(
    centre: Centre, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.add_user()
    asked = browser.get("/sign-in")
    monkeypatch.setattr(centre.built.sql.audit, "append", _refuse)
    page = browser.submit(asked, "/sign-in", username="alice", password=PASSWORD)
    assert page.status == 503
    assert browser.cookie("lockstep_session") == ""
    assert centre.services.lists.count_live(centre.services.clock.now()) == 0


def _refuse(*_events: object) -> None:
    raise Unavailable(detail="disk full")


def test_everywhere_ends_every_device_and_their_sites_are_told(centre: Centre, signed_in: Browser) -> None:
    other = centre.browser()
    other.sign_in("alice")
    shop = centre.add_site()
    elsewhere = max(centre.sessions(centre.services.accounts.get("alice")), key=lambda session: session.created_at)
    centre.visit(elsewhere, shop)
    signed_in.submit(signed_in.get("/sign-out"), "/sign-out", scope="everywhere")
    assert other.get("/").location == "/sign-in"
    (row,) = centre.services.ledger.of_session(elsewhere.sid)
    assert (row.reason, row.state) == (EndReason.SIGN_OUT_EVERYWHERE, State.PENDING)


def test_another_site_cannot_press_the_button(centre: Centre, signed_in: Browser) -> None:
    page = signed_in.post("/sign-out", scope="everywhere", csrf_token="forged")
    assert page.status == 400
    assert "please press the button once more" in page.text
    assert signed_in.get("/").status == 200
    assert signed_in.submit(page, "/sign-out", scope="here").status == 303


def test_the_cookie_of_an_ended_session_ends_no_other(centre: Centre, signed_in: Browser) -> None:
    other = centre.browser()
    other.sign_in("alice")
    old = signed_in.get("/sign-out")
    secret = signed_in.cookie("lockstep_session")
    first = signed_in.submit(old, "/sign-out", scope="here")
    signed_in.http.set_cookie("lockstep_session", secret)
    again = signed_in.submit(old, "/sign-out", scope="everywhere")
    assert _of(centre, again.location)["sid"] == _of(centre, first.location)["sid"]
    assert other.get("/").status == 200


def test_a_site_that_asked_gets_the_browser_back_at_its_registered_address_only(
    centre: Centre, signed_in: Browser
) -> None:
    centre.add_site()
    for asked, led_to in (("https://shop.example/", "https://shop.example/?state=a+b"), ("https://evil.example/", "")):
        payload = {"client_id": "shop", "post_logout_redirect_uri": asked, "state": "a b"}
        sealed = centre.services.seals.seal("sign-out", payload)
        page = signed_in.get(f"/sign-out?request={sealed}")
        assert "Shop asks to sign you out. You are signed in as Alice Liddell." in page.text
        policy = page.response.headers["Content-Security-Policy"]
        assert ("form-action 'self' https:;" in policy) is bool(led_to)
        done = signed_in.submit(page, "/sign-out", scope="here")
        assert done.location == led_to or (not led_to and done.location.startswith("/signed-out?of="))
        signed_in.sign_in("alice")


def test_the_report_has_a_line_for_each_site_and_fills_in(centre: Centre, signed_in: Browser) -> None:
    shop, wiki = centre.add_site(), centre.add_site("wiki", "Wiki")
    quiet = centre.add_site("quiet", "Quiet", backchannel_logout_uri="")
    report = _sign_out_of(centre, signed_in, (shop, ""), (wiki, STORE), (quiet, ""))
    page = signed_in.get(report)
    assert "Can&#39;t be told" in page.text
    assert "Please sign out there yourself." in page.text
    assert '<a href="https://quiet.example/">Quiet</a>' in page.text
    assert '<noscript><meta http-equiv="refresh"' in page.text
    assert _standings(signed_in, report) == {"shop": "trying_no_bound", "wiki": "safe", "quiet": "not_told"}
    answer(centre, "shop", 200)
    assert _standings(signed_in, report)["shop"] == "signed_out"
    finished = signed_in.get(report)
    assert "2 of 3 sites let nobody in any more." in finished.text
    assert "http-equiv" not in finished.text
    assert "data-status=" in finished.text, "one of the two has yet to hear of it"


def test_a_site_that_fails_is_still_being_tried_and_nobody_invents_a_bound(centre: Centre, signed_in: Browser) -> None:
    report = _sign_out_of(centre, signed_in, (centre.add_site(), ""))
    answer(centre, "shop", 503)
    page = signed_in.get(report)
    assert "Still trying" in page.text
    assert "can&#39;t say how long it takes" in page.text


def test_a_cut_off_store_is_safe_in_so_many_seconds(centre: Centre, signed_in: Browser) -> None:
    shop = centre.add_site()
    alice = centre.services.accounts.get("alice")
    centre.visit(centre.sessions(alice)[0], shop)
    centre.services.check_ins.check_in(shop, CheckIn(STORE, None, (), (), (), None))
    report = signed_in.submit(signed_in.get("/sign-out"), "/sign-out").location
    (line,) = signed_in.http.get(report.replace("/signed-out?", "/signed-out.json?")).json["lines"]
    assert line["words"] == "Being told"
    assert "Safe in" in line["detail"]
    answer(centre, "shop", 503)
    (line,) = signed_in.http.get(report.replace("/signed-out?", "/signed-out.json?")).json["lines"]
    assert line["standing"] == "trying"
    assert line["words"].startswith("Can't be reached, safe in ")


def test_the_report_says_why_when_it_was_not_the_persons_own_sign_out(centre: Centre, signed_in: Browser) -> None:
    shop = centre.add_site()
    session = centre.sessions(centre.services.accounts.get("alice"))[0]
    centre.visit(session, shop)
    centre.services.sign_out.end(session.sid, EndReason.ADMINISTRATOR, actor="cli")
    with centre.app.test_request_context():
        report = page_of(session.sid, "shop")
    page = signed_in.get(report)
    assert "An administrator ended this session." in page.text
    assert 'href="https://shop.example/"' in page.text
    assert "Back to Shop" in page.text


def test_a_report_is_only_for_those_who_were_given_its_address(centre: Centre, browser: Browser) -> None:
    assert "This browser has no session here." in browser.get("/signed-out?of=forged").text
    assert browser.get("/signed-out.json?of=forged").status == 404


def _of(centre: Centre, location: str) -> dict[str, object]:
    sealed = parse_qs(urlsplit(location).query)["of"][0]
    return centre.services.seals.open("signed-out", sealed) or {}


def _sign_out_of(centre: Centre, browser: Browser, *visits: tuple[object, str]) -> str:
    session = centre.sessions(centre.services.accounts.get("alice"))[0]
    for client, store in visits:
        centre.visit(session, client, store)
    return browser.submit(browser.get("/sign-out"), "/sign-out").location


def _standings(browser: Browser, report: str) -> dict[str, str]:
    answered = browser.http.get(report.replace("/signed-out?", "/signed-out.json?")).json
    return {line["client_id"]: line["standing"] for line in answered["lines"]}
