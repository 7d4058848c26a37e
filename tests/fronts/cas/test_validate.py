"""/cas/validate, CAS 1: yes or no (CAS 3.0.3 section 2.4)."""

import pytest
from flask import Flask

from tests.fronts.cas.validating import NO_SUCH_TICKET, Service, add

BOARD = "https://board.example.org/app/"


@pytest.fixture(scope="session")
def site(shared_app: Flask) -> Service:
    return add(shared_app, "board", BOARD)


def said(site: Service, **params: str) -> str:
    answer = site.ask("/cas/validate", **params)
    assert (answer.status_code, answer.mimetype, answer.headers["Cache-Control"]) == (200, "text/plain", "no-store")
    return answer.text


def test_a_good_ticket_is_yes_and_the_user_name_on_a_line_of_its_own(site: Service) -> None:
    assert said(site, service=BOARD, ticket=site.ticket()) == "yes\nalice\n"


def test_a_posted_question_is_answered_too(site: Service) -> None:
    assert site.ask("/cas/validate", post=True, service=BOARD, ticket=site.ticket()).text == "yes\nalice\n"


@pytest.mark.parametrize("left", [{"service": BOARD}, {"ticket": NO_SUCH_TICKET}, {}])
def test_without_service_or_ticket_it_is_no(site: Service, left: dict[str, str]) -> None:
    assert said(site, **left) == "no\n"


@pytest.mark.parametrize("text", [NO_SUCH_TICKET, "x", "yes\n"])
def test_what_is_no_ticket_is_no(site: Service, text: str) -> None:
    assert said(site, service=BOARD, ticket=text) == "no\n"


@pytest.mark.parametrize("service", [BOARD + "other", "https://evil.example/", "javascript:alert(1)"])
def test_another_service_is_no_and_spends_the_ticket(site: Service, service: str) -> None:
    ticket = site.ticket()
    assert said(site, service=service, ticket=ticket) == "no\n"
    assert said(site, service=BOARD, ticket=ticket) == "no\n"


def test_a_second_attempt_is_no(site: Service) -> None:
    ticket = site.ticket()
    assert [said(site, service=BOARD, ticket=ticket) for _ in range(2)] == ["yes\nalice\n", "no\n"]


def test_with_renew_only_a_password_typed_for_it_is_yes(site: Service) -> None:
    session = site.session()
    assert said(site, service=BOARD, ticket=site.ticket(session), renew="true") == "yes\nalice\n"
    assert said(site, service=BOARD, ticket=site.ticket(session, fresh=False), renew="true") == "no\n"


@pytest.mark.parametrize("wrong", ["Service", "TICKET"])
def test_a_required_name_in_the_wrong_case_is_absent(site: Service, wrong: str) -> None:
    params = {"service": BOARD, "ticket": site.ticket()}
    params[wrong] = params.pop(wrong.lower())
    assert said(site, **params) == "no\n"


def test_renew_in_the_wrong_case_a_format_and_a_callback_are_nothing_here(site: Service) -> None:
    session = site.session()
    more = {"RENEW": "true", "format": "YAML", "pgtUrl": "https://127.0.0.1:1/"}
    assert said(site, service=BOARD, ticket=site.ticket(session, fresh=False), **more) == "yes\nalice\n"


def test_a_repeated_parameter_is_no(site: Service) -> None:
    ticket = site.ticket()
    answer = site.app.test_client().get(f"/cas/validate?service={BOARD}&ticket={ticket}&ticket={ticket}")
    assert answer.text == "no\n"
