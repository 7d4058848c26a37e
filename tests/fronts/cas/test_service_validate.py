"""/cas/serviceValidate and its three siblings: who may ask, what is answered (CAS 3.0.3 sections 2.5 to 2.8)."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from tests.fronts.cas.cas_site import CasSite, fill_in, ticket_of
from tests.fronts.cas.validating import ENDPOINTS, NO_SUCH_TICKET, Service, add, read, running
from tests.support.oidc_site import built_of
from tests.support.services import running_redis

WIKI = "https://docs.example.org/app/"


@pytest.fixture(scope="session")
def site(shared_app: Flask) -> Service:
    return add(shared_app, "docs", WIKI)


def test_through_the_front_door_a_typed_password_is_fresh_and_a_session_is_not(site: Service) -> None:
    browser, wiki = site.app.test_client(), CasSite(site.app, "docs", WIKI + "page?q=a%20b&c=%2F")
    first = fill_in(browser, wiki.login(browser), username="bob")
    silent, again = wiki.login(browser), wiki.login(browser)
    answers = [
        site.validate(ticket_of(one), "/cas/p3/serviceValidate", service=wiki.service) for one in (first, silent)
    ]
    assert [answer.user for answer in answers] == ["bob", "bob"]
    assert [(answer.attributes or {})["isFromNewLogin"] for answer in answers] == [["true"], ["false"]]
    assert site.validate(ticket_of(again), service=wiki.service, renew="true").code == "INVALID_TICKET"


def test_a_disabled_person_is_named_to_nobody_although_the_session_is_not_ended_yet(site: Service) -> None:
    users, people = built_of(site.app).sql.users, built_of(site.app).services.people
    bob, ticket = users.find_by_username("bob"), site.ticket(site.session("bob"))
    assert users.update(replace(bob, disabled_at=1))
    people.changed()
    try:
        assert site.validate(ticket).code == "INVALID_TICKET"
    finally:
        assert users.update(bob)
        people.changed()
    assert site.validate(site.ticket(site.session("bob"))).user == "bob"


def test_a_ticket_of_a_person_who_is_gone_is_not_good(site: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = site.ticket()
    monkeypatch.setattr(built_of(site.app).services.people, "find", lambda user_id: None)
    assert site.validate(ticket).code == "INVALID_TICKET"


def test_a_ticket_of_a_removed_site_is_nothing_to_another_one_of_its_id(site: Service) -> None:
    gone = add(site.app, "left", "https://left.example.net/")
    ticket, client, built = gone.ticket(), gone.client, built_of(site.app)
    assert built.sql.clients.remove("left")
    assert built.sql.clients.add(replace(client, created_at=built.services.clock.now() + 1))
    built.services.clients._checked_at = -1000
    assert gone.validate(ticket).code == "INVALID_TICKET"
    assert gone.validate(ticket).code == "INVALID_TICKET"


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("post", [False, True])
def test_a_good_ticket_names_the_person(site: Service, path: str, post: bool) -> None:
    answer = read(site.ask(path, post=post, service=WIKI, ticket=site.ticket()))
    assert (answer.code, answer.user, answer.iou, answer.proxies) == ("", "alice", "", [])
    assert (answer.attributes is not None) == path.startswith("/cas/p3/")


def test_the_elements_come_in_their_order_under_the_usual_prefix(site: Service) -> None:
    text = site.ask("/cas/p3/serviceValidate", service=WIKI, ticket=site.ticket()).text
    assert text.startswith('<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">')
    tags = [one.tag.partition("}")[2] for one in ET.fromstring(text).iter()]
    assert tags[:7] == [
        "serviceResponse",
        "authenticationSuccess",
        "user",
        "attributes",
        "authenticationDate",
        "longTermAuthenticationRequestTokenUsed",
        "isFromNewLogin",
    ]


def test_the_log_says_which_service_came_and_which_one_the_ticket_was_for(
    site: Service, logged: list[dict[str, object]]
) -> None:
    def detail(**asked: str) -> str:
        assert site.validate(site.ticket(service=WIKI + "page?id=7"), **asked).code
        return str(logged[-1]["detail"])

    issued = "issued for 'https://docs.example.org/app/page?id=...'"
    assert detail(service=WIKI + "page?id=8&x=9") == (
        f"redirect_uri_mismatch: received 'https://docs.example.org/app/page?id=...&x=...', {issued}"
    )
    assert (
        detail(service="http://docs.example.org/?q=1") == "service_unknown: received 'http://docs.example.org/?q=...'"
    )
    asked = {"service": WIKI + "page?id=7", "pgtUrl": "https://elsewhere.example/pgt"}
    assert detail(**asked) == "proxying_not_allowed: received 'https://elsewhere.example/pgt'"


@pytest.mark.parametrize("path", [*ENDPOINTS, "/cas/proxy", "/cas/validate", "/cas/login", "/cas/logout"])
def test_a_slash_at_the_end_is_passed_over(site: Service, path: str) -> None:
    """Other servers take it, and it stands in the settings of sites that come from them."""
    asked = [site.ask(one, service=WIKI, ticket=NO_SUCH_TICKET) for one in (path, path + "/")]
    assert asked[1].status_code == asked[0].status_code < 400
    assert asked[1].mimetype == asked[0].mimetype


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("missing", ["service", "ticket"])
def test_without_service_or_ticket_it_is_an_invalid_request(site: Service, path: str, missing: str) -> None:
    params = {"service": WIKI, "ticket": site.ticket()}
    del params[missing]
    answer = read(site.ask(path, **params))
    assert answer.code == "INVALID_REQUEST"
    assert missing in answer.text


@pytest.mark.parametrize("name", ["Service", "SERVICE", "Ticket", "TICKET"])
def test_a_required_name_in_the_wrong_case_is_absent(site: Service, name: str) -> None:
    params = {"service": WIKI, "ticket": site.ticket()}
    params[name] = params.pop(name.lower())
    assert read(site.ask("/cas/serviceValidate", **params)).code == "INVALID_REQUEST"


@pytest.mark.parametrize(
    "wrong", [{"Renew": "true"}, {"PGTURL": "http://x"}, {"pgturl": "http://x"}, {"Format": "JSON"}, {"Store_id": "x"}]
)
def test_an_optional_name_in_the_wrong_case_does_nothing(site: Service, wrong: dict[str, str]) -> None:
    answer = site.validate(site.ticket(fresh=False), **wrong)
    assert (answer.user, answer.iou) == ("alice", "")


@pytest.mark.parametrize("name", ["service", "ticket", "renew", "format"])
def test_a_repeated_parameter_is_an_invalid_request(site: Service, name: str) -> None:
    ticket = site.ticket()
    query = f"service={WIKI}&ticket={ticket}&renew=false&format=XML&{name}=x"
    answer = read(site.app.test_client().get(f"/cas/serviceValidate?{query}"))
    assert answer.code == "INVALID_REQUEST"
    assert site.validate(ticket).user == "alice"


def test_a_parameter_in_address_and_form_is_repeated(site: Service) -> None:
    ticket = site.ticket()
    calls = site.app.test_client()
    answer = read(calls.post(f"/cas/serviceValidate?ticket={ticket}", data={"service": WIKI, "ticket": ticket}))
    assert answer.code == "INVALID_REQUEST"
    assert read(calls.post(f"/cas/serviceValidate?ticket={ticket}", data={"service": WIKI})).user == "alice"


def test_more_than_the_limits_is_an_invalid_request(site: Service) -> None:
    for params in ({"service": "x" * 5000}, {f"p{n}": "x" * 1000 for n in range(7)}):
        assert read(site.ask("/cas/serviceValidate", post=True, **params)).code == "INVALID_REQUEST"
    assert read(site.ask("/cas/serviceValidate", post=True, service="x" * 200_000)).code == "INVALID_REQUEST"


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "text", [NO_SUCH_TICKET, "ST-1", "x", "sid-07-" + "a" * 32, "PGT-07-" + "a" * 32, "ST-99-" + "a" * 32, "ST-é"]
)
def test_what_is_no_ticket_is_an_invalid_ticket(site: Service, path: str, text: str) -> None:
    assert site.validate(text, path).code == "INVALID_TICKET"


def test_the_same_address_in_another_spelling_is_the_same_service(site: Service) -> None:
    ticket = site.ticket(service=WIKI + "page?q=a%2fb&x")
    same = "HTTPS://DOCS.example.org:443/app/page;jsessionid=1?q=a%2Fb&x&ticket=old#part"
    assert site.validate(ticket, service=same).user == "alice"


@pytest.mark.parametrize("wanted", ["true", "True", "1", "yes"])
@pytest.mark.parametrize("path", ENDPOINTS)
def test_with_renew_a_ticket_of_a_session_that_was_there_is_refused(site: Service, path: str, wanted: str) -> None:
    session = site.session()
    assert site.validate(site.ticket(session), path, renew=wanted).user == "alice"
    silent = site.ticket(session, fresh=False)
    assert site.validate(silent, path, renew=wanted).code == "INVALID_TICKET"
    assert site.validate(silent, path).code == "INVALID_TICKET"  # that was its attempt


def test_renew_false_and_an_empty_one_ask_for_nothing(site: Service) -> None:
    session = site.session()
    for value in ("false", "FALSE", ""):
        assert site.validate(site.ticket(session, fresh=False), renew=value).user == "alice"


def test_a_wrong_method_is_refused_and_no_other_origin_reads_an_answer(site: Service) -> None:
    assert site.app.test_client().put("/cas/serviceValidate").status_code == 405
    answer = site.ask("/cas/serviceValidate", service=WIKI, ticket=site.ticket())
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_whoever_validates_is_told_at_the_service_itself_or_at_its_logout_address(site: Service) -> None:
    plain, blog = site, "https://blog.example.org/"
    other = add(site.app, "blog", blog, backchannel_logout_uri=blog + "out")
    session = plain.session()
    tickets = [plain.ticket(session, service=WIKI + "a?x=1"), plain.ticket(session), other.ticket(session)]
    assert plain.validate(tickets[0], service=WIKI + "a?x=1").user == "alice"
    assert plain.validate(tickets[1]).user == "alice"
    assert other.validate(tickets[2]).user == "alice"
    sites = built_of(site.app).session_stores.lists.participants(session.sid)
    assert [(one.client_id, one.kind, one.store_id, one.logout_uri, one.reports) for one in sites] == [
        ("docs", "cas", tickets[0], WIKI + "a?x=1", False),
        ("docs", "cas", tickets[1], WIKI, False),
        ("blog", "cas", tickets[2], blog + "out", False),
    ]


def test_a_failed_validation_makes_nobody_a_participant(site: Service) -> None:
    session = site.session()
    ticket = site.ticket(session)
    assert site.validate(ticket, service=WIKI + "elsewhere").code == "INVALID_SERVICE"
    assert built_of(site.app).session_stores.lists.participants(session.sid) == []


def test_tickets_are_of_the_allowed_characters_and_at_most_64_long(site: Service) -> None:
    for ticket in (site.ticket() for _ in range(20)):
        assert re.fullmatch(r"ST-[A-Za-z0-9-]{32,61}", ticket)


def test_no_ticket_is_in_a_log_line(site: Service, logged: list[dict[str, object]]) -> None:
    ticket, again = site.ticket(), site.ticket()
    site.validate(ticket)
    site.validate(ticket)
    site.validate(again, service=WIKI + "x")
    assert [line["event"] for line in logged] == ["service_ticket_validated", "request_refused", "request_refused"]
    used, mismatch = (str(line["detail"]) for line in logged[1:])
    assert (used, mismatch.partition(":")[0]) == ("ticket_used", "redirect_uri_mismatch")
    assert ticket not in str(logged)
    assert again not in str(logged)


@pytest.mark.redis
def test_with_the_store_away_it_says_when_to_come_back(prepared: Path, tmp_path: Path) -> None:
    with running_redis(tmp_path) as url, running(prepared, tmp_path, redis_url=url) as app:
        site = add(app, "docs", WIKI)
        ticket = site.ticket()
        assert site.validate(site.ticket()).user == "alice"
    for path in (*ENDPOINTS, "/cas/validate"):
        answer = site.ask(path, service=WIKI, ticket=ticket)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert path == "/cas/validate" or 'code="INTERNAL_ERROR"' in answer.text
