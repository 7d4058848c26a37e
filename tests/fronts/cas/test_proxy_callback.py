"""A proxy-granting ticket goes to the site by a call of ours, over https, to a registered address (section 2.5.4)."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from sso_server.core import proxy_granting
from sso_server.core.notifications import Answer as Answered
from sso_server.core.proxy_granting import MOST_CALLS_EACH
from sso_server.core.sessions import EndReason
from sso_server.delivery import sender
from sso_server.delivery.proxy_callback import ProxyCaller
from tests.fronts.cas.validating import Answer, Service, add, read
from tests.support.certificates import Authority, make_authority
from tests.support.oidc_site import built_of
from tests.support.sinks import Sink

PORTAL, BACK = "https://portal.example.org/", "https://back.example.org/"


@pytest.fixture(scope="session")
def listener(authority: Authority) -> Iterator[Sink]:
    """The site's callback, with a certificate for its address."""
    with Sink("ok", tls=authority.context("127.0.0.1")) as sink:
        yield sink


@pytest.fixture(scope="session")
def registered(shared_app: Flask, listener: Sink, authority: Authority) -> Service:
    add(shared_app, "back", BACK)
    port = listener.port
    callbacks = (f"https://127.0.0.1:{port}/", f"https://localhost:{port}/")
    return add(
        shared_app,
        "portal",
        PORTAL,
        cas_proxy_callbacks=(*callbacks, "https://10.1.2.3/", "https://metadata.google.internal/"),
    )


@pytest.fixture
def portal(registered: Service, listener: Sink) -> Service:
    """Nobody has called yet."""
    listener.inbox.clear()
    listener.script("ok")
    return registered


def callback(listener: Sink, path: str = "/cb?a=%2F&b") -> str:
    return f"https://127.0.0.1:{listener.port}{path}"


def sent(listener: Sink) -> dict[str, str]:
    """What the one call brought."""
    (request,) = listener.inbox
    return {name: values[0] for name, values in parse_qs(urlsplit(request.line.split()[1]).query).items()}


def test_the_callback_gets_ticket_and_name_by_get_and_its_own_query_stays(portal: Service, listener: Sink) -> None:
    answer = portal.validate(portal.ticket(), pgtUrl=callback(listener))
    (request,) = listener.inbox
    found = sent(listener)
    assert request.line.startswith("GET /cb?a=%2F&b&pgtId=PGT-")
    assert (request.body, set(found)) == (b"", {"a", "pgtId", "pgtIou"})
    assert re.fullmatch(r"PGT-[A-Za-z0-9-]{32,60}", found["pgtId"])
    assert re.fullmatch(r"PGTIOU-[A-Za-z0-9-]{32,57}", found["pgtIou"])
    assert (answer.user, answer.iou) == ("alice", found["pgtIou"])
    # Section 3.4.1: the name says nothing of the ticket.
    assert found["pgtIou"].rpartition("-")[2] != found["pgtId"].rpartition("-")[2]
    assert portal.proxy_ticket(found["pgtId"], BACK)


@pytest.mark.parametrize("path", ["/cas/proxyValidate", "/cas/p3/serviceValidate", "/cas/p3/proxyValidate"])
def test_every_endpoint_but_the_first_of_all_brings_one(portal: Service, listener: Sink, path: str) -> None:
    answer = portal.validate(portal.ticket(), path, pgtUrl=callback(listener))
    assert answer.iou == sent(listener)["pgtIou"]


def test_json_names_it_too(portal: Service, listener: Sink) -> None:
    params = {"service": PORTAL, "ticket": portal.ticket(), "pgtUrl": callback(listener), "format": "JSON"}
    answer = portal.ask("/cas/serviceValidate", **params).get_json()["serviceResponse"]["authenticationSuccess"]
    assert answer["proxyGrantingTicket"] == sent(listener)["pgtIou"]


@pytest.mark.parametrize("behaviour", ["404", "500", "202", "204", "redirect", "close", "rst", "noise"])
def test_whatever_is_not_200_fails_the_validation_and_the_ticket_that_was_sent_is_dead(
    portal: Service, listener: Sink, behaviour: str
) -> None:
    listener.script(behaviour)
    ticket = portal.ticket()
    answer = portal.validate(ticket, pgtUrl=callback(listener))
    assert (answer.code, answer.user, answer.iou) == ("INVALID_PROXY_CALLBACK", "", "")
    pgt = parse_qs(urlsplit(listener.inbox[0].line.split()[1]).query)["pgtId"][0]
    assert read(portal.ask("/cas/proxy", pgt=pgt, targetService=BACK)).code == "INVALID_TICKET"
    assert portal.validate(ticket).code == "INVALID_TICKET"


class Meanwhile:
    """Something happens while the site is being called."""

    def __init__(self, portal: Service, monkeypatch: pytest.MonkeyPatch, happens: Callable[[str], None]) -> None:
        granting = built_of(portal.app).services.proxy_granting
        self._caller, self._happens = granting._caller, happens
        monkeypatch.setattr(granting, "_caller", self)

    def call(self, url: str, *, allow_private: bool) -> Answered:
        (pgt,) = parse_qs(urlsplit(url).query)["pgtId"]
        self._happens(pgt)
        return self._caller.call(url, allow_private=allow_private)


def test_a_session_that_ends_while_the_callback_is_called_is_not_opened_at_the_site(
    portal: Service, listener: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, sent = portal.session(), []

    def ends(pgt: str) -> None:
        sent.append(pgt)
        built_of(portal.app).services.sign_out.end(session.sid, EndReason.SIGN_OUT, actor="user")

    Meanwhile(portal, monkeypatch, ends)
    answer = portal.validate(portal.ticket(session), pgtUrl=callback(listener))
    assert (answer.code, answer.user, answer.iou) == ("INVALID_TICKET", "", "")
    assert read(portal.ask("/cas/proxy", pgt=sent[0], targetService=BACK)).code == "INVALID_TICKET"


@pytest.mark.parametrize("behaviour", ["ok", "500"])
def test_a_proxy_granting_ticket_is_good_for_nothing_before_its_callback_has_answered(
    portal: Service, listener: Sink, monkeypatch: pytest.MonkeyPatch, behaviour: str
) -> None:
    """A process that dies in between, or a store that is away then, leaves nothing good at the site."""
    early: list[str] = []

    def asks(pgt: str) -> None:
        early.append(read(portal.ask("/cas/proxy", pgt=pgt, targetService=BACK)).code)

    Meanwhile(portal, monkeypatch, asks)
    listener.script(behaviour)
    portal.validate(portal.ticket(), pgtUrl=callback(listener))
    assert early == ["INVALID_TICKET"]


def test_a_redirect_is_not_followed(portal: Service, listener: Sink, authority: Authority) -> None:
    with Sink("ok", tls=authority.context("127.0.0.1")) as elsewhere:
        listener.headers["Location"] = f"https://127.0.0.1:{elsewhere.port}/"
        listener.script("redirect")
        assert portal.validate(portal.ticket(), pgtUrl=callback(listener)).code == "INVALID_PROXY_CALLBACK"
        assert (len(listener.inbox), elsewhere.connections) == (1, 0)


def test_a_callback_that_hangs_is_given_up_and_the_others_don_t_wait_for_it(
    portal: Service, listener: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sender.WHOLE_S == 5.0
    monkeypatch.setattr(sender, "WHOLE_S", 1.5)
    listener.script("hang")
    answers: list[Answer] = []
    begun = monotonic()
    waiting = [
        threading.Thread(target=lambda: answers.append(portal.validate(portal.ticket(), pgtUrl=callback(listener))))
        for _ in range(MOST_CALLS_EACH)
    ]
    for thread in waiting:
        thread.start()
    listener.wait_for(MOST_CALLS_EACH)
    # One more would hold a web thread, too; its ticket is not spent.
    ticket = portal.ticket()
    turned_away = portal.ask("/cas/serviceValidate", service=PORTAL, ticket=ticket, pgtUrl=callback(listener))
    assert (turned_away.status_code, turned_away.headers["Retry-After"]) == (503, "1")
    assert portal.validate(ticket).user == "alice"
    for thread in waiting:
        thread.join(30)
    assert [answer.code for answer in answers] == ["INVALID_PROXY_CALLBACK"] * MOST_CALLS_EACH
    assert monotonic() - begun < 20
    listener.script("ok")
    assert portal.validate(portal.ticket(), pgtUrl=callback(listener)).iou


def test_all_sites_together_have_a_limit_too(portal: Service, listener: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_granting, "MOST_CALLS", 1)
    other = add(portal.app, "desk", "https://desk.example.org/", cas_proxy_callbacks=(callback(listener, "/"),))
    statuses: list[int] = []

    def asks(_: str) -> None:
        if not statuses:
            params = {"service": other.service, "ticket": other.ticket(), "pgtUrl": callback(listener, "/")}
            statuses.append(other.ask("/cas/serviceValidate", **params).status_code)

    Meanwhile(portal, monkeypatch, asks)
    assert portal.validate(portal.ticket(), pgtUrl=callback(listener)).iou
    assert statuses == [503]
    assert other.validate(other.ticket(), pgtUrl=callback(listener, "/")).iou


@pytest.mark.parametrize(("name", "days"), [("other.example", (-1, 1)), ("127.0.0.1", (-9, -1)), ("127.0.0.1", (1, 9))])
def test_a_certificate_for_another_name_or_another_time_is_refused(
    shared_app: Flask, authority: Authority, name: str, days: tuple[float, float]
) -> None:
    with Sink("ok", tls=authority.context(name, days=days)) as sink:
        url = f"https://127.0.0.1:{sink.port}/"
        site = add(shared_app, f"tls{sink.port}", f"https://tls{sink.port}.example.org/", cas_proxy_callbacks=(url,))
        assert site.validate(site.ticket(), pgtUrl=url).code == "INVALID_PROXY_CALLBACK"
        assert sink.inbox == []


def test_a_certificate_of_an_unknown_authority_is_refused(
    shared_app: Flask, tmp_path: Path, authority: Authority
) -> None:
    with Sink("ok", tls=make_authority(tmp_path).context("127.0.0.1")) as sink:
        url = f"https://127.0.0.1:{sink.port}/"
        site = add(shared_app, "unknown", "https://unknown.example.org/", cas_proxy_callbacks=(url,))
        assert site.validate(site.ticket(), pgtUrl=url).code == "INVALID_PROXY_CALLBACK"
        assert sink.inbox == []


def test_http_is_refused_although_it_is_registered(shared_app: Flask, authority: Authority) -> None:
    with Sink("ok") as plain:
        url = f"http://127.0.0.1:{plain.port}/"
        site = add(shared_app, "clear", "https://clear.example.org/", cas_proxy_callbacks=(url,))
        ticket = site.ticket()
        assert site.validate(ticket, pgtUrl=url).code == "INVALID_PROXY_CALLBACK"
        assert site.validate(ticket).code == "INVALID_TICKET"
        assert plain.inbox == []


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://127.0.0.1:{port}@evil.example/",
        "https://127.0.0.1:{port}/%2e%2e/",
        "https://127.0.0.1:{port}.evil.example/",
        "https://127.0.0.1:1/",
    ],
)
def test_an_unregistered_address_is_not_called(portal: Service, listener: Sink, url: str) -> None:
    ticket = portal.ticket()
    answer = portal.validate(ticket, pgtUrl=url.replace("{port}", str(listener.port)))
    assert answer.code == "UNAUTHORIZED_SERVICE_PROXY"
    assert portal.validate(ticket).code == "INVALID_TICKET"
    assert listener.inbox == []


def test_a_service_without_callbacks_may_not_have_any(portal: Service, listener: Sink) -> None:
    back = Service(portal.app, "back", BACK)
    assert back.validate(back.ticket(), pgtUrl=callback(listener)).code == "UNAUTHORIZED_SERVICE_PROXY"
    assert listener.inbox == []


def test_a_private_address_is_not_called_without_the_client_s_permission(
    portal: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, heard = built_of(portal.app).proxy_caller, []

    def call(url: str, *, allow_private: bool) -> Answered:
        heard.append(Answered(200) if allow_private else ProxyCaller.call(caller, url, allow_private=False))
        return heard[-1]

    monkeypatch.setattr(caller, "call", call)
    assert portal.validate(portal.ticket(), pgtUrl="https://10.1.2.3/cb").code == "INVALID_PROXY_CALLBACK"
    inner = add(
        portal.app,
        "inner",
        "https://inner.example.org/",
        cas_proxy_callbacks=("https://10.1.2.3/",),
        allow_private=True,
    )
    assert inner.validate(inner.ticket(), pgtUrl="https://10.1.2.3/cb").iou
    assert [one.error for one in heard] == ["address_forbidden", ""]


def test_a_centre_on_the_internet_calls_nobody_on_its_own_machine(portal: Service, listener: Sink) -> None:
    caller = built_of(portal.app).proxy_caller
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(caller._sender, "_loopback", False)
        assert portal.validate(portal.ticket(), pgtUrl=callback(listener)).code == "INVALID_PROXY_CALLBACK"
    assert listener.inbox == []


def test_pgturl_in_the_wrong_case_is_absent(portal: Service, listener: Sink) -> None:
    for name in ("pgturl", "PGTURL", "PgtUrl"):
        answer = portal.validate(portal.ticket(), **{name: callback(listener)})
        assert (answer.user, answer.iou) == ("alice", "")
    assert listener.inbox == []


def test_a_ticket_that_is_not_good_calls_nobody(portal: Service, listener: Sink) -> None:
    ticket = portal.ticket()
    assert portal.validate(ticket, service=PORTAL + "x", pgtUrl=callback(listener)).code == "INVALID_SERVICE"
    assert portal.validate(ticket, pgtUrl=callback(listener)).code == "INVALID_TICKET"
    assert listener.inbox == []


def test_a_callback_that_fails_is_one_line_of_the_audit(portal: Service, listener: Sink) -> None:
    session = portal.session()
    listener.script("500")
    portal.validate(portal.ticket(session), pgtUrl=callback(listener))
    lines = built_of(portal.app).sql.audit.list_events(10, sid=session.sid)
    assert [line.data["refusal"] for line in lines if "refusal" in line.data] == ["proxy_callback_failed"]
