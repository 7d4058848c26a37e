"""/cas/proxy, and what its tickets are good for (CAS 3.0.3 sections 2.6, 2.7, 3.2 and 3.3)."""

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from sso_server.core.proxy_granting import LONGEST_CHAIN, MOST_PROXIES
from sso_server.core.sessions import EndReason, Session
from tests.fronts.cas.test_saml import QUESTION
from tests.fronts.cas.validating import NO_SUCH_TICKET, Answer, Service, add, read
from tests.support.certificates import Authority
from tests.support.oidc_site import OidcSite, built_of
from tests.support.sinks import Sink

LIBRARY, CATALOGUE, SHELF = (f"https://{name}.example.org/" for name in ("library", "catalogue", "shelf"))


@pytest.fixture(scope="session")
def listener(authority: Authority) -> Iterator[Sink]:
    with Sink("ok", tls=authority.context("127.0.0.1")) as sink:
        yield sink


@pytest.fixture(scope="session")
def library(shared_app: Flask, listener: Sink) -> Service:
    """Asks the catalogue in the person's name; the catalogue asks the shelf."""
    here = f"https://127.0.0.1:{listener.port}"
    add(shared_app, "catalogue", CATALOGUE, cas_proxy_callbacks=(f"{here}/catalogue",))
    add(shared_app, "shelf", SHELF)
    return add(shared_app, "library", LIBRARY, cas_proxy_callbacks=(f"{here}/library", f"{here}/deep/"))


@pytest.fixture
def catalogue(library: Service) -> Service:
    return Service(library.app, "catalogue", CATALOGUE)


@pytest.fixture
def shelf(library: Service) -> Service:
    return Service(library.app, "shelf", SHELF)


def granted(site: Service, listener: Sink, ticket: str) -> str:
    """A proxy-granting ticket for this ticket, as the callback gets it."""
    listener.inbox.clear()
    callback = f"https://127.0.0.1:{listener.port}/{site.client_id}"
    assert site.validate(ticket, "/cas/proxyValidate", pgtUrl=callback).iou
    query = parse_qs(urlsplit(listener.inbox[0].line.split()[1]).query)
    return query["pgtId"][0]


def refused(site: Service, **params: str) -> Answer:
    answer = read(site.ask("/cas/proxy", **params))
    assert answer.ticket == ""
    return answer


@pytest.fixture
def session(library: Service) -> Session:
    return library.session()


@pytest.fixture
def pgt(library: Service, listener: Sink, session: Session) -> str:
    return granted(library, listener, library.ticket(session))


def test_a_proxy_ticket_names_the_person_and_who_stands_between(
    library: Service, catalogue: Service, listener: Sink, pgt: str
) -> None:
    ticket = library.proxy_ticket(pgt, CATALOGUE)
    assert re.fullmatch(r"PT-[A-Za-z0-9-]{32,61}", ticket)
    answer = catalogue.validate(ticket, "/cas/p3/proxyValidate")
    assert (answer.user, answer.proxies) == ("alice", [f"https://127.0.0.1:{listener.port}/library"])
    assert answer.attributes is not None
    assert answer.attributes["isFromNewLogin"] == ["false"]


def test_a_chain_of_proxies_is_told_the_latest_first(
    library: Service, catalogue: Service, shelf: Service, listener: Sink, pgt: str
) -> None:
    second = granted(catalogue, listener, library.proxy_ticket(pgt, CATALOGUE))
    here = f"https://127.0.0.1:{listener.port}"
    wanted = [f"{here}/catalogue", f"{here}/library"]
    assert shelf.validate(catalogue.proxy_ticket(second, SHELF), "/cas/proxyValidate").proxies == wanted
    params = {"service": SHELF, "ticket": catalogue.proxy_ticket(second, SHELF), "format": "JSON"}
    answer = shelf.ask("/cas/proxyValidate", **params).get_json()["serviceResponse"]["authenticationSuccess"]
    assert answer["proxies"] == wanted


def test_a_service_that_asks_itself_comes_to_an_end(library: Service, listener: Sink, session: Session) -> None:
    here, ticket = f"https://127.0.0.1:{listener.port}/library", library.ticket(session)
    for _ in range(MOST_PROXIES):
        ticket = library.proxy_ticket(granted(library, listener, ticket), LIBRARY)
    listener.inbox.clear()
    answer = library.validate(ticket, "/cas/proxyValidate", pgtUrl=here)
    assert (answer.code, listener.inbox) == ("UNAUTHORIZED_SERVICE_PROXY", [])
    assert library.validate(ticket, "/cas/proxyValidate").code == "INVALID_TICKET"


def test_what_stands_between_has_a_length(library: Service, listener: Sink, session: Session) -> None:
    url = f"https://127.0.0.1:{listener.port}/deep/?{'a' * 1700}"
    ticket, answers = library.ticket(session), []
    for _ in range(LONGEST_CHAIN // len(url) + 1):
        listener.inbox.clear()
        answers.append(library.validate(ticket, "/cas/proxyValidate", pgtUrl=url))
        if listener.inbox:
            query = parse_qs(urlsplit(listener.inbox[0].line.split()[1]).query)
            ticket = library.proxy_ticket(query["pgtId"][0], LIBRARY)
    assert [answer.code for answer in answers] == ["", "", "UNAUTHORIZED_SERVICE_PROXY"]


def test_a_service_ticket_at_proxyvalidate_has_nobody_in_between(library: Service) -> None:
    answer = library.validate(library.ticket(), "/cas/proxyValidate")
    assert (answer.user, answer.proxies) == ("alice", [])


@pytest.mark.parametrize("path", ["/cas/serviceValidate", "/cas/p3/serviceValidate"])
def test_a_proxy_ticket_where_only_service_tickets_are_taken_is_refused_by_name_and_spent(
    library: Service, catalogue: Service, pgt: str, path: str
) -> None:
    ticket = library.proxy_ticket(pgt, CATALOGUE)
    answer = catalogue.validate(ticket, path)
    assert answer.code == "INVALID_TICKET_SPEC"
    assert "proxy ticket" in answer.text
    assert catalogue.validate(ticket, "/cas/proxyValidate").code == "INVALID_TICKET"


def test_a_proxy_ticket_is_no_at_validate_and_spent(library: Service, catalogue: Service, pgt: str) -> None:
    ticket = library.proxy_ticket(pgt, CATALOGUE)
    assert catalogue.ask("/cas/validate", service=CATALOGUE, ticket=ticket).text == "no\n"
    assert catalogue.validate(ticket, "/cas/proxyValidate").code == "INVALID_TICKET"


def test_a_proxy_ticket_is_no_good_at_samlvalidate(library: Service, catalogue: Service, pgt: str) -> None:
    ticket = library.proxy_ticket(pgt, CATALOGUE)
    answer = catalogue.app.test_client().post(
        f"/cas/samlValidate?TARGET={CATALOGUE}", data=QUESTION.format(ticket=ticket)
    )
    assert "INVALID_TICKET_SPEC" in answer.text


def test_a_proxy_ticket_is_good_for_the_service_it_was_asked_for_and_once(
    library: Service, catalogue: Service, pgt: str
) -> None:
    for service in (SHELF, LIBRARY, CATALOGUE + "x"):
        ticket = library.proxy_ticket(pgt, CATALOGUE)
        assert catalogue.validate(ticket, "/cas/proxyValidate", service=service).code == "INVALID_SERVICE"
        assert catalogue.validate(ticket, "/cas/proxyValidate").code == "INVALID_TICKET"
    ticket = library.proxy_ticket(pgt, CATALOGUE)
    codes = [catalogue.validate(ticket, "/cas/proxyValidate").code for _ in range(2)]
    assert codes == ["", "INVALID_TICKET"]


def test_a_proxy_ticket_for_an_address_below_a_registered_one_is_good_there_alone(
    library: Service, catalogue: Service, pgt: str
) -> None:
    wanted = CATALOGUE + "api?x=1"
    ticket = library.proxy_ticket(pgt, wanted)
    assert catalogue.validate(ticket, "/cas/proxyValidate", service=wanted).user == "alice"
    ticket = library.proxy_ticket(pgt, wanted)
    assert catalogue.validate(ticket, "/cas/proxyValidate").code == "INVALID_SERVICE"


def test_no_proxy_ticket_comes_from_a_password_typed_for_it(library: Service, catalogue: Service, pgt: str) -> None:
    ticket = library.proxy_ticket(pgt, CATALOGUE)
    assert catalogue.validate(ticket, "/cas/proxyValidate", renew="true").code == "INVALID_TICKET"


def test_whoever_validates_a_proxy_ticket_is_told_of_the_end(
    library: Service, catalogue: Service, session: Session, pgt: str
) -> None:
    ticket = library.proxy_ticket(pgt, CATALOGUE)
    catalogue.validate(ticket, "/cas/proxyValidate")
    sites = built_of(library.app).session_stores.lists.participants(session.sid)
    assert [(site.client_id, site.store_id) for site in sites][1:] == [("catalogue", ticket)]


@pytest.mark.parametrize("missing", ["pgt", "targetService"])
def test_without_ticket_or_target_it_is_an_invalid_request(library: Service, pgt: str, missing: str) -> None:
    params = {"pgt": pgt, "targetService": CATALOGUE}
    del params[missing]
    answer = refused(library, **params)
    assert answer.code == "INVALID_REQUEST"
    assert missing in answer.text


@pytest.mark.parametrize("wrong", ["PGT", "TargetService", "targetservice"])
def test_a_name_in_the_wrong_case_is_absent(library: Service, pgt: str, wrong: str) -> None:
    params = {"pgt": pgt, "targetService": CATALOGUE}
    params = {wrong if name.lower() == wrong.lower() else name: value for name, value in params.items()}
    assert refused(library, **params).code == "INVALID_REQUEST"


def test_a_repeated_parameter_is_an_invalid_request(library: Service, pgt: str) -> None:
    answer = library.app.test_client().get(f"/cas/proxy?pgt={pgt}&pgt={pgt}&targetService={CATALOGUE}")
    assert read(answer).code == "INVALID_REQUEST"


@pytest.mark.parametrize("target", ["https://evil.example/", "https://catalogue.example.org.evil.example/", "x", "/"])
def test_an_unregistered_target_is_an_unauthorized_service(library: Service, pgt: str, target: str) -> None:
    assert refused(library, pgt=pgt, targetService=target).code == "UNAUTHORIZED_SERVICE"


def test_what_is_no_proxy_granting_ticket_gets_nothing(library: Service, session: Session) -> None:
    iou = "PGTIOU-" + "a" * 32
    for text in (NO_SUCH_TICKET, "PGT-07-" + "a" * 32, "x", iou, library.ticket(session), session.sid):
        assert refused(library, pgt=text, targetService=CATALOGUE).code == "INVALID_TICKET"


def test_it_works_again_and_again_until_the_session_ends(library: Service, session: Session, pgt: str) -> None:
    tickets = {library.proxy_ticket(pgt, CATALOGUE) for _ in range(3)}
    assert len(tickets) == 3
    built_of(library.app).services.sign_out.end(session.sid, EndReason.SIGN_OUT, actor="test")
    assert refused(library, pgt=pgt, targetService=CATALOGUE).code == "INVALID_TICKET"
    catalogue = Service(library.app, "catalogue", CATALOGUE)
    # Those that are on their way die, too.
    assert {catalogue.validate(ticket, "/cas/proxyValidate").code for ticket in tickets} == {"INVALID_TICKET"}


def test_a_site_that_may_not_have_proxy_tickets_any_more_gets_none(library: Service, pgt: str) -> None:
    built, before = built_of(library.app), library.client
    assert built.sql.clients.update(replace(before, cas_proxy_callbacks=()), before)
    built.services.clients._checked_at = -1000
    assert refused(library, pgt=pgt, targetService=CATALOGUE).code == "UNAUTHORIZED_SERVICE"
    assert built.sql.clients.update(before, library.client)
    built.services.clients._checked_at = -1000
    assert library.proxy_ticket(pgt, CATALOGUE)


def test_a_removed_site_gets_none_nor_does_another_one_of_its_id(library: Service, listener: Sink) -> None:
    here = f"https://127.0.0.1:{listener.port}/gone"
    gone = add(library.app, "gone", "https://gone.example.org/", cas_proxy_callbacks=(here,))
    pgt = granted(gone, listener, gone.ticket())
    built, client = built_of(library.app), gone.client
    assert built.sql.clients.remove("gone")
    built.services.clients._checked_at = -1000
    assert refused(library, pgt=pgt, targetService=CATALOGUE).code == "INVALID_TICKET"
    assert built.sql.clients.add(replace(client, created_at=built.services.clock.now() + 1))
    built.services.clients._checked_at = -1000
    assert refused(library, pgt=pgt, targetService=CATALOGUE).code == "INVALID_TICKET"


def test_a_proxy_granting_ticket_is_nothing_anywhere_else(library: Service, pgt: str) -> None:
    shop = OidcSite(library.app, "shop", "shop-secret-" + "s" * 32)
    assert shop.userinfo(pgt).status_code == 401
    assert shop.refresh(pgt).get_json()["error"] == "invalid_grant"
    assert shop.redeem(pgt).get_json()["error"] == "invalid_grant"
    assert shop.post("/introspect", token=pgt).get_json() == {"active": False}
    assert shop.post("/revoke", token=pgt).status_code == 200
    for path in ("/cas/serviceValidate", "/cas/proxyValidate"):
        assert library.validate(pgt, path).code == "INVALID_TICKET"
    assert library.proxy_ticket(pgt, CATALOGUE)
