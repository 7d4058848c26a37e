"""A ticket is good for one attempt, whatever comes of it (CAS 3.0.3 section 3.1.1); on both stores."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import redis

from sso_server.core.events import EventKind
from sso_server.core.sessions import EndReason
from tests.fronts.cas.validating import ENDPOINTS, Answer, Service, add, running
from tests.support.oidc_site import OidcSite, built_of

Later = Callable[[float], AbstractContextManager[object]]
RADIO = "https://radio.example.org/"
OTHER = "https://other.example.org/"


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def site(request: pytest.FixtureRequest, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings: dict[str, object] = {}
    if request.param == "redis":
        settings["redis_url"] = request.getfixturevalue("redis_url")
        with redis.Redis.from_url(str(settings["redis_url"]), socket_timeout=5) as connection:
            connection.flushall()
    with running(prepared, tmp_path_factory.mktemp("attempts"), **settings) as app:
        add(app, "other", OTHER)
        yield add(app, "radio", RADIO)


def at_once(count: int, call: Callable[[], Answer]) -> list[Answer]:
    """So many threads, held back until all of them are there."""
    ready, answers = threading.Barrier(count), []

    def run() -> None:
        ready.wait(20)
        answers.append(call())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def test_of_fifty_at_once_exactly_one_succeeds(site: Service) -> None:
    session = site.session()
    ticket = site.ticket(session)
    answers = at_once(50, lambda: site.validate(ticket))
    assert sorted(answer.code or answer.user for answer in answers) == ["INVALID_TICKET"] * 49 + ["alice"]
    assert len(built_of(site.app).session_stores.lists.participants(session.sid)) == 1


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_second_attempt_fails_and_ends_nothing(site: Service, path: str) -> None:
    session = site.session()
    ticket = site.ticket(session)
    assert site.validate(ticket, path).user == "alice"
    assert site.validate(ticket, path).code == "INVALID_TICKET"
    # A spent ticket stands in the address that a browser had: whoever shows it must not sign anybody out.
    assert site.validate(site.ticket(session), path).user == "alice"


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "service",
    [RADIO + "elsewhere", OTHER, "https://evil.example/", RADIO + "%2e%2e/", "https://radio.example.org@evil/"],
)
def test_another_service_is_refused_and_spends_the_ticket(site: Service, path: str, service: str) -> None:
    ticket = site.ticket()
    assert site.validate(ticket, path, service=service).code == "INVALID_SERVICE"
    assert site.validate(ticket, path).code == "INVALID_TICKET"


def test_a_refused_attempt_with_renew_spends_the_ticket(site: Service) -> None:
    ticket = site.ticket(fresh=False)
    assert site.validate(ticket, renew="true").code == "INVALID_TICKET"
    assert site.validate(ticket).code == "INVALID_TICKET"


def test_a_question_that_names_no_service_is_no_attempt(site: Service) -> None:
    ticket = site.ticket()
    assert site.validate(ticket, service="").code == "INVALID_REQUEST"
    assert site.validate(ticket, format="YAML").code == "INVALID_REQUEST"
    assert site.validate(ticket).user == "alice"


def test_an_expired_ticket_is_refused(site: Service, later: Later) -> None:
    ticket = site.ticket()
    with later(61):
        answer = site.validate(ticket)
    assert (answer.code, answer.text) == ("INVALID_TICKET", "The ticket has expired.")


def test_after_the_session_has_ended_its_tickets_are_refused(site: Service) -> None:
    session = site.session()
    ticket = site.ticket(session)
    built_of(site.app).services.sign_out.end(session.sid, EndReason.SIGN_OUT, actor="test")
    for path in ENDPOINTS:
        assert site.validate(ticket, path).code == "INVALID_TICKET"


def test_a_ticket_is_nothing_at_the_token_endpoint_and_a_code_nothing_here(site: Service) -> None:
    shop = OidcSite(site.app, "shop", "shop-secret-" + "s" * 32)
    ticket = site.ticket()
    assert shop.redeem(ticket, redirect_uri=RADIO).get_json()["error"] == "invalid_grant"
    assert shop.refresh(ticket).get_json()["error"] == "invalid_grant"
    assert shop.userinfo(ticket).status_code == 401
    browser = site.app.test_client()
    code = shop.code(browser)
    assert site.validate(code).code == "INVALID_TICKET"
    assert site.validate(code, service=shop.redirect_uri).code == "INVALID_TICKET"
    assert shop.redeem(code).status_code == 200


def test_a_refusal_that_spends_a_ticket_leaves_a_line_in_the_audit_and_nothing_else_does(site: Service) -> None:
    audit = built_of(site.app).sql.audit
    session = site.session()
    ticket = site.ticket(session)
    before = len(audit.list_events(1000, kind=EventKind.TICKET_REFUSED))
    site.validate("ST-07-" + "b" * 32)
    assert len(audit.list_events(1000, kind=EventKind.TICKET_REFUSED)) == before
    site.validate(ticket, service=OTHER)
    site.validate(ticket)
    (line,) = audit.list_events(10, kind=EventKind.TICKET_REFUSED, sid=session.sid)
    assert (line.client_id, line.data) == ("other", {"refusal": "ticket_other_client"})
