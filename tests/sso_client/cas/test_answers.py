"""What a CAS server answers is believed only as far as it can be: hostile, foreign and slow answers sign in nobody."""

import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from sso_client import Attempt, SignIn, SSOClient, SSOError
from sso_client.cas_answers import MAX_XML
from sso_client.http import Http
from tests.support.fake_cas import NAMESPACE, FakeCas, Odd, Ticket, failure, success

GOOD = success("alice").decode()
#: Whom the files and entities below would name.
EVIL = "mallory"


def begin(client: SSOClient, cas: FakeCas, **asked: object) -> tuple[str, Attempt]:
    """Somebody at the server; the ticket in their browser, and the attempt in its cookie."""
    url, attempt = client.login_url("/", **asked)  # type: ignore[arg-type]
    back = parse_qs(urlsplit(cas.sign_in(url)).query)
    return client.read_answer(back, attempt), attempt


def refusal(client: SSOClient, cas: FakeCas, odd: Odd | None = None, **asked: object) -> str:
    """The code of what becomes of a sign-in whose ticket the server answers in this way."""
    ticket, attempt = begin(client, cas, **asked)
    cas.odd = odd
    with pytest.raises(SSOError) as caught:
        client.validate_ticket(ticket, attempt)
    return caught.value.code


def sign_in(client: SSOClient, cas: FakeCas, **asked: object) -> SignIn:
    return client.validate_ticket(*begin(client, cas, **asked))


def wrapped(inside: str) -> bytes:
    return f'<cas:serviceResponse xmlns:cas="{NAMESPACE}">{inside}</cas:serviceResponse>'.encode()


def with_type(subset: str, name: str = "&x;") -> bytes:
    return f"<!DOCTYPE a [{subset}]>{GOOD.replace('alice', name)}".encode()


HOSTILE = {
    "an entity": with_type(f'<!ENTITY x "{EVIL}">'),
    "entities that grow": with_type('<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY x "&b;&b;&b;">'),
    "a file": with_type('<!ENTITY x SYSTEM "file:///etc/hostname">'),
    "a parameter entity": with_type('<!ENTITY % x SYSTEM "http://127.0.0.1:1/x.dtd"> %x;', "alice"),
    "an external type": f'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">{GOOD}'.encode(),
    "a type of its own": with_type("<!ELEMENT a ANY>", "alice"),
    "another namespace": GOOD.replace(NAMESPACE, "http://www.yale.edu/tp/CAS").encode(),
    "no namespace": GOOD.replace("cas:", "").replace(f' xmlns:cas="{NAMESPACE}"', "").encode(),
    "a user of another namespace": wrapped(
        "<cas:authenticationSuccess><x:user xmlns:x='urn:x'>alice</x:user></cas:authenticationSuccess>"
    ),
    "no user": wrapped("<cas:authenticationSuccess/>"),
    "an empty user": success(" \n"),
    "two users": success("alice", more=f"<cas:user>{EVIL}</cas:user>"),
    "a user in parts": wrapped(
        "<cas:authenticationSuccess><cas:user>alice<x/>.evil</cas:user></cas:authenticationSuccess>"
    ),
    "success and failure": wrapped(
        '<cas:authenticationFailure code="INVALID_TICKET"/>'
        "<cas:authenticationSuccess><cas:user>alice</cas:user></cas:authenticationSuccess>"
    ),
    "success deep inside": wrapped(f"<x>{GOOD}</x>"),
    "a proxy between": success("alice", more="<cas:proxies><cas:proxy>https://evil.example</cas:proxy></cas:proxies>"),
    "two lists of attributes": success("alice", {"mail": ["a"]}, more="<cas:attributes/>"),
    "another root": GOOD.replace("cas:serviceResponse", "cas:answer").encode(),
    "nothing": b"",
    "a page": b"<!doctype html><title>Sign in</title><p>Welcome",
    "CAS 1": b"yes\nalice\n",
    "half of it": GOOD[:-20].encode(),
    "an encoding that isn't": b'<?xml version="1.0" encoding="x-evil"?>' + GOOD.encode(),
    "bytes": bytes(range(256)),
    "too much": success("a" * MAX_XML),
    "depth": b"<a>" * 80_000,
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_signs_nobody_in(answer: bytes, client: SSOClient, cas: FakeCas) -> None:
    assert refusal(client, cas, answer) == "cas_answer_invalid"


def test_an_answer_without_end_is_cut_off(client: SSOClient, cas: FakeCas) -> None:
    assert refusal(client, cas, b"<a>" + b" " * 2_000_000) == "cas_unreachable"


def slow(asked: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    time.sleep(8)
    return 200, {}, GOOD.encode()


def test_a_server_that_hangs_is_given_up(client: SSOClient, cas: FakeCas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Http.get, "__defaults__", (None, 0.5))  # it is five seconds
    began = time.monotonic()
    assert refusal(client, cas, slow) == "cas_unreachable"
    assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "provider_unavailable"),
        (503, "provider_unavailable"),
        (302, "cas_answer_invalid"),
        (307, "cas_answer_invalid"),
        (404, "cas_answer_invalid"),
        (403, "cas_answer_invalid"),
        (401, "client_refused"),
        (204, "cas_answer_invalid"),
    ],
)
def test_another_status_signs_nobody_in_and_no_redirect_is_followed(
    status: int, code: str, client: SSOClient, cas: FakeCas
) -> None:
    assert refusal(client, cas, status) == code
    assert all("Validate" in call for call in cas.calls)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("INVALID_TICKET", "ticket_unknown"),
        ("INVALID_SERVICE", "redirect_uri_mismatch"),
        ("UNAUTHORIZED_SERVICE", "redirect_uri_mismatch"),
        ("INTERNAL_ERROR", "provider_unavailable"),
        ("INVALID_REQUEST", "ticket_refused"),
        ("INVALID_TICKET_SPEC", "ticket_refused"),
        ("UNAUTHORIZED_SERVICE_PROXY", "ticket_refused"),
        ("SOMETHING_NEW", "ticket_refused"),
        ("", "ticket_refused"),
    ],
)
def test_each_refusal_of_the_server_has_a_code_of_ours(said: str, code: str, client: SSOClient, cas: FakeCas) -> None:
    assert refusal(client, cas, failure(said)) == code


def test_a_ticket_is_good_once(client: SSOClient, cas: FakeCas) -> None:
    ticket, attempt = begin(client, cas)
    assert client.validate_ticket(ticket, attempt).user.sub == "alice"
    with pytest.raises(SSOError, match="ticket_unknown"):
        client.validate_ticket(ticket, attempt)


def test_another_sites_ticket_is_refused_by_the_service_it_was_given_for(client: SSOClient, cas: FakeCas) -> None:
    """What a person brought to evil.example opens nothing here, whoever carries it over."""
    _, attempt = client.login_url("/")
    for service in ("https://evil.example/", "http://localhost/", "http://localhost/sso/callback?state=other"):
        with pytest.raises(SSOError, match="redirect_uri_mismatch"):
            client.validate_ticket(cas.issue("alice", service), attempt)


def test_an_answer_to_another_browsers_sign_in_is_refused_before_its_ticket_is_looked_at(
    client: SSOClient, cas: FakeCas
) -> None:
    mallory, _ = client.login_url("/")
    _, alice = client.login_url("/")
    with pytest.raises(SSOError, match="state_unknown"):
        client.read_answer(parse_qs(urlsplit(cas.sign_in(mallory, EVIL)).query), alice)
    assert cas.calls == []


def test_tickets_of_every_length_that_the_protocol_asks_for_are_taken(client: SSOClient, cas: FakeCas) -> None:
    for length in (32, 256):
        url, attempt = client.login_url("/")
        ticket, (service,) = "ST-" + "a" * (length - 3), parse_qs(urlsplit(url).query)["service"]
        cas.tickets[ticket] = Ticket("alice", service, fresh=True)
        back = {"state": [attempt.state], "ticket": [ticket]}
        assert client.validate_ticket(client.read_answer(back, attempt), attempt).user.sub == "alice"
    for ticket in ("ST-" + "a" * 10_000, "ST-1\r\nx", "ST-é"):
        with pytest.raises(SSOError, match="answer_invalid"):
            client.read_answer({"state": [attempt.state], "ticket": [ticket]}, attempt)


@pytest.mark.parametrize("name", ["ticket", "state"])
def test_a_parameter_twice_is_refused(name: str, client: SSOClient) -> None:
    _, attempt = client.login_url("/")
    query = {"ticket": ["ST-1"], "state": [attempt.state]}
    with pytest.raises(SSOError, match="answer_invalid"):
        client.read_answer(query | {name: query[name] * 2}, attempt)


def test_a_gateway_brings_a_ticket_only_where_somebody_is_signed_in(client: SSOClient, cas: FakeCas) -> None:
    url, attempt = client.login_url("/", prompt="none")
    assert parse_qs(urlsplit(url).query)["gateway"] == ["true"]
    with pytest.raises(SSOError, match="sign_in_refused"):
        client.read_answer(parse_qs(urlsplit(cas.sign_in(url, None)).query), attempt)
    back = parse_qs(urlsplit(cas.sign_in(url, fresh=False)).query)
    assert client.validate_ticket(client.read_answer(back, attempt), attempt).user.username == "alice"


@pytest.mark.parametrize(
    ("attributes", "read"),
    [
        ({"cn": ["Alice"], "displayName": ["Alice E."]}, lambda user: (user.name, "Alice E.")),
        ({"mail": ["a@x", "b@x"]}, lambda user: (user.email, "a@x")),
        ({"memberOf": ["one"]}, lambda user: (user.groups, ("one",))),
        ({"groups": ["one", "two"], "memberOf": ["three"]}, lambda user: (user.groups, ("one", "two"))),
        ({"email_verified": ["yes"]}, lambda user: (user.email_verified, False)),
        ({"email_verified": ["true"]}, lambda user: (user.email_verified, True)),
        ({"sub": ["root"], "sid": ["x"], "preferred_username": ["root"]}, lambda user: (user.username, "alice")),
        ({"sub": ["root"]}, lambda user: (user.sub, "alice")),
        ({"auth_time": ["99999999999"]}, lambda user: (user.auth_time, None)),
        ({"uid": ["17"], "roles": ["a", "b"]}, lambda user: (user.claims["roles"], ["a", "b"])),
        (
            {"authenticationDate": ["2026-11-22T09:00:00.5+01:00[Europe/Paris]"]},
            lambda user: (user.auth_time, 1795334400),
        ),
        ({"authenticationDate": ["2026-11-22T09:00:00Z"]}, lambda user: (user.auth_time, 1795338000)),
        ({"authenticationDate": ["yesterday"]}, lambda user: (user.auth_time, None)),
        ({"authenticationDate": ["2026-11-22T09:00:00"]}, lambda user: (user.auth_time, None)),
    ],
)
def test_attributes_become_claims_and_none_changes_who_it_is(
    attributes: dict[str, list[str]], read: Callable[[object], tuple[object, object]], client: SSOClient, cas: FakeCas
) -> None:
    cas.odd = success("alice", attributes)
    found, wanted = read(sign_in(client, cas).user)
    assert found == wanted


def test_as_many_attributes_as_an_answer_can_hold_take_no_time(client: SSOClient, cas: FakeCas) -> None:
    many = f"<cas:attributes>{'<a/>' * 60_000}</cas:attributes>"
    cas.odd = success("alice", more=many)
    began = time.process_time()
    assert len(sign_in(client, cas).user.claims["a"]) == 60_000
    assert time.process_time() - began < 2, "measured 0.2 s; copying all that came before takes 4"


def test_a_cas_2_server_is_asked_where_it_answers(client: SSOClient, cas: FakeCas) -> None:
    cas.version = 2
    for _ in range(2):
        assert sign_in(client, cas).user.sub == "alice"
    paths = [urlsplit(call).path for call in cas.calls]
    assert paths == ["/cas/p3/serviceValidate", "/cas/serviceValidate", "/cas/serviceValidate"]


def test_a_fresh_sign_in_is_believed_only_if_the_server_kept_to_it(client: SSOClient, cas: FakeCas) -> None:
    assert sign_in(client, cas, max_age_s=60).user.is_fresh(60)
    cas.version = 2  # it says nothing of when: that it took `renew` is its word
    assert sign_in(client, cas, max_age_s=60).user.is_fresh(60)
    ancient = {"authenticationDate": ["2020-01-01T00:00:00Z"]}
    assert refusal(client, cas, success("alice", ancient), max_age_s=60) == "auth_too_old"
    assert refusal(client, cas, success("alice", {"isFromNewLogin": ["false"]}), max_age_s=60) == "auth_too_old"
    assert refusal(client, cas, failure("INVALID_TICKET"), max_age_s=60) == "auth_too_old"
    with pytest.raises(SSOError, match="not_in_cas"):
        client.login_url("/", acr=["gold"])
