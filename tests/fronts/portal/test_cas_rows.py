"""A CAS site that validated several tickets in a session is one site to people, with the worst of them; no page shows a
ticket.
"""

import pytest

from sso_server.core.clients import Client
from sso_server.core.notifications import Answer, after_answer
from sso_server.core.service_urls import normal_form
from sso_server.core.sessions import EndReason, Session
from tests.fronts.portal.pages import PASSWORD, Browser, Centre
from tests.support.cas_rows import cas_client

SERVICE = "https://notes.example.com/page"


@pytest.fixture
def notes(centre: Centre) -> Client:
    client = cas_client("notes", "https://notes.example.com/")
    assert centre.built.sql.clients.add(client)
    return client


def signed_in(centre: Centre, browser: Browser, notes: Client) -> tuple[Session, list[str]]:
    """Alice, at the notes with three tickets."""
    centre.add_user("alice")
    browser.sign_in("alice")
    (session,) = centre.sessions(centre.services.accounts.get("alice"))
    tickets = []
    for _ in range(3):
        ticket = centre.services.service_tickets.issue(session, notes, service=normal_form(SERVICE), fresh=False)
        centre.services.service_tickets.validate(ticket, notes, service=normal_form(SERVICE), address=SERVICE)
        tickets.append(ticket)
    return session, tickets


def answers(centre: Centre, *statuses: int) -> None:
    """One for each row, in the order of the tickets."""
    now, outbox = centre.services.clock.now(), centre.built.sql.outbox
    rows = sorted(outbox.claim("test", now, 100, 30_000), key=lambda row: row.registered_at)
    outbox.record([after_answer(row, Answer(s), now, lambda: 0.5) for row, s in zip(rows, statuses, strict=True)], now)


def test_whoever_signs_out_reads_of_one_site_and_that_nobody_knows_how_long_it_takes(
    centre: Centre, browser: Browser, notes: Client
) -> None:
    _, tickets = signed_in(centre, browser, notes)
    asked = browser.get("/sign-out")
    assert asked.text.count("Notes") == 1
    ended = browser.submit(asked, "/sign-out", scope="here").location
    report = browser.get(ended)
    assert report.text.count('data-client="notes"') == 1
    assert "How long this site takes isn" in report.text
    answers(centre, 200, 503, 200)
    later = browser.get(ended)
    assert "Still trying" in later.text
    assert "Your sites are being told." in later.text
    assert not any(ticket in asked.text + report.text + later.text for ticket in tickets)


def test_an_administrator_sees_one_row_with_the_worst_and_how_many_tickets_it_stands_for(
    centre: Centre, browser: Browser, notes: Client
) -> None:
    session, tickets = signed_in(centre, browser, notes)
    centre.services.sign_out.end(session.sid, EndReason.SIGN_OUT, actor="user")
    answers(centre, 200, 400, 200)
    centre.services.accounts.add("root", PASSWORD, is_admin=True, actor="test")
    admin = centre.browser()
    admin.sign_in("root")
    page = admin.get(f"/admin/sign-outs/{session.sid}").text
    assert page.count('data-standing="') == 1
    assert 'data-standing="trying_no_bound"' in page
    assert "It refused the call (400)" in page
    assert "CAS client" in page
    assert "<dt>Tickets it validated</dt><dd>3</dd>" in page
    assert "0 of 1 signed out, 1 being told" in admin.get("/admin/sign-outs").text
    assert not any(ticket in page for ticket in tickets)
