"""What the command says of a CAS site without our SDK: one line for people, one entry for each ticket as data, and the
ticket itself nowhere.
"""

from typing import Any

import pytest

from sso_server.core.identifiers import BROWSER, mark_of
from sso_server.core.sign_in import Visitor
from tests.cli.conftest import PASSWORD, Sso
from tests.support.cas_rows import cas_client

SERVICE = "https://notes.example.com/page"


@pytest.fixture
def validated(sso: Sso) -> tuple[str, list[str]]:
    """A session in which the notes validated two tickets, and a third that nobody did: its sid and their texts."""
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    built = sso.built()
    services, notes = built.services, cas_client("notes", SERVICE)
    assert built.sql.clients.add(notes)
    browser = services.randomness.identifier(BROWSER, services.randomness.bucket())
    visitor = Visitor(browser_id=browser, address="192.0.2.7", user_agent="Firefox", known_mark="")
    session = services.sign_in.open(services.accounts.get("alice"), visitor, remember=False).session
    tickets = [services.service_tickets.issue(session, notes, service=SERVICE, fresh=True) for _ in range(3)]
    for ticket in tickets[:2]:
        services.service_tickets.validate(ticket, notes, service=SERVICE, address=SERVICE)
    built.close()
    return session.sid, tickets


def test_the_map_of_a_session_has_one_line_for_people_and_an_entry_for_each_ticket(
    sso: Sso, validated: tuple[str, list[str]]
) -> None:
    sid, tickets = validated
    live = sso.run("session", "show", sid).stdout
    assert live.count(SERVICE) == 1
    assert sso.run("session", "list").stdout.count("notes") == 1
    assert marks(sso.json("session", "show", sid)["sites"]) == [("", mark_of(t)) for t in tickets[:2]]
    sso.run("session", "end", sid)
    ended = sso.run("session", "show", sid).stdout
    assert ended.count("still trying, no bound known, 2 tickets") == 1
    listed = sso.run("signout", "list").stdout
    assert "0 of 1 signed out, 1 trying" in listed
    data = sso.json("session", "show", sid)
    assert sorted(marks(data["sites"])) == sorted(("", mark_of(t)) for t in tickets[:2])
    assert [site["standing"] for site in data["sites"]] == ["trying_no_bound"] * 2
    assert not any(ticket in text for ticket in tickets for text in (live, ended, listed, str(data)))


def marks(sites: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(site["store_id"], site["ticket"]) for site in sites]


def test_the_receipt_likewise(sso: Sso, validated: tuple[str, list[str]]) -> None:
    sid, tickets = validated
    sso.run("session", "end", sid)
    told = sso.json("signout", "retry", sid, "notes")
    assert told["retried"] == 2
    assert sso.json("signout", "abandon", sid, "notes")["abandoned"] == 2
    people = sso.run("signout", "show", sid).stdout
    assert people.count("2 tickets") == 1
    assert people.count("the person was signed in there") == 1
    data = sso.json("signout", "show", sid)
    assert sorted(marks(data["sites"])) == sorted(("", mark_of(t)) for t in tickets[:2])
    assert [site["bound"] for site in data["sites"]] == ["local_session"] * 2
    assert not any(ticket in text for ticket in tickets for text in (people, str(data)))


def test_a_session_is_found_by_a_ticket_spent_or_not(sso: Sso, validated: tuple[str, list[str]]) -> None:
    sid, tickets = validated
    for ticket in tickets:
        assert sso.json("session", "show", "--ticket", ticket)["sid"] == sid
    sso.run("session", "show", "--ticket", "PGT-" + tickets[0].removeprefix("ST-"), code=1)
