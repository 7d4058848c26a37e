"""What holds at a site of another CAS server: settings, local life, doubts, and what it says of itself."""

import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from sso_client import LocalStore, Settings, SettingsError, SSOClient, load_settings, open_sqlite_store
from sso_client.testing.page import Page
from tests.support.all_sites import FORM, AnySite, Visitor
from tests.support.fake_cas import FakeCas, logout_request
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock

GOOD = {"cas_url": "https://cas.example.org/cas", "base_url": "https://wiki.example.org"}
CENTRE = {"issuer": "https://sso.example.org", "client_id": "wiki", "client_secret": "s"}


@pytest.fixture
def framework() -> str:
    return "flask"


def sign_in(client: SSOClient, cas: FakeCas) -> tuple[str, str]:
    """The cookie, and the ticket that it was given for."""
    url, attempt = client.login_url("/")
    back = parse_qs(urlsplit(cas.sign_in(url)).query)
    cookie, _ = client.open_session(client.validate_ticket(client.read_answer(back, attempt), attempt))
    return cookie, back["ticket"][0]


def told(**options: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(options, environ={})
    return " ".join(caught.value.problems)


# ---------------------------------------------------------------- settings


def test_an_address_is_all_that_another_server_needs() -> None:
    settings = load_settings({}, environ={f"SSO_{name.upper()}": f"{value}/" for name, value in GOOD.items()})
    assert (settings.protocol, settings.cas_url, settings.issuer) == ("cas", GOOD["cas_url"], GOOD["cas_url"])
    assert (settings.client_id, settings.client_secret) == ("wiki-example-org", "")
    two = [load_settings(GOOD | {"base_url": f"http://localhost:{port}"}, environ={}).client_id for port in (1, 2)]
    assert two[0] != two[1], "their cookies share a host"


def test_an_address_of_its_own_is_needed_or_visitors_could_choose_what_a_ticket_is_good_for() -> None:
    assert "SSO_BASE_URL" in told(cas_url=GOOD["cas_url"])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (GOOD | {"protocol": "oidc"}, "SSO_PROTOCOL"),
        (GOOD | {"issuer": "https://sso.example.org"}, "SSO_ISSUER"),
        (GOOD | {"cas_url": "http://cas.example.org"}, "https"),
        (GOOD | {"cas_url": "https://cas.example.org/cas?x=1"}, "query"),
        (GOOD | {"scopes": "openid"}, "SSO_SCOPES"),
        (GOOD | {"audience": "api"}, "SSO_AUDIENCE"),
        (GOOD | {"id_token_algs": "ES256"}, "SSO_ID_TOKEN_ALGS"),
        (GOOD | {"endpoint_origins": "https://x.example"}, "SSO_ENDPOINT_ORIGINS"),
        (CENTRE | {"protocol": "saml"}, "SSO_PROTOCOL"),
        (CENTRE | {"protocol": "cas", "scopes": "openid"}, "SSO_SCOPES"),
        (CENTRE | {"protocol": "cas", "client_secret": None}, "SSO_CLIENT_SECRET"),
    ],
)
def test_what_has_no_meaning_in_cas_is_said_at_the_start(options: dict[str, object], named: str) -> None:
    assert named in told(**options)


def test_at_our_centre_cas_needs_what_openid_connect_needs() -> None:
    assert load_settings(CENTRE | {"protocol": "cas"}, environ={}).client_id == "wiki"
    assert load_settings(CENTRE, environ={}).protocol == "oidc"


def test_without_the_library_that_reads_xml_safely_it_doesnt_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "defusedxml", None)
    assert "lockstep-sso[cas]" in told(**GOOD)


# ---------------------------------------------------------------- local life


def test_a_local_session_ends_by_the_sites_own_limit_and_a_server_that_is_away_stops_nobody(
    client: SSOClient, cas: FakeCas, clock: MovedClock
) -> None:
    cookie, _ = sign_in(client, cas)
    cas.down()
    clock.go(23 * 3600)
    assert client.find_session(cookie) is not None
    clock.go(2 * 3600)
    assert client.find_session(cookie) is None


def test_sessions_whose_time_is_over_are_dropped_when_somebody_signs_in_and_the_site_hears_of_each(
    client: SSOClient, cas: FakeCas, clock: MovedClock
) -> None:
    ended: list[tuple[str, str]] = []
    client.hooks.on_logout.append(lambda user, reason: ended.append((user.sub, reason)))
    sign_in(client, cas)
    clock.go(25 * 3600)
    cas.skew_s += 25 * 3600
    sign_in(client, cas)
    assert ended == [("alice", "expired")]


def test_a_ticket_stands_in_no_log_line_and_names_no_session(
    client: SSOClient, cas: FakeCas, store: LocalStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "sso_client")
    cookie, ticket = sign_in(client, cas)
    session = client.find_session(cookie)
    client.receive_logout(cas.logout_form(ticket), FORM)
    assert session is not None
    shown = f"{caplog.text} {client.recent_events()} {session.sid} {dict(session.claims)}"
    assert ticket not in shown
    assert [event.sid for event in client.recent_events()] == [session.sid] * 3


def test_one_call_may_name_several_tickets(client: SSOClient, cas: FakeCas) -> None:
    (one, first), (two, second), (three, _) = (sign_in(client, cas) for _ in range(3))
    body = f"logoutRequest={logout_request(first, second)}".replace(" ", "+").replace("#", "%23").encode()
    assert client.receive_logout(body, FORM).status == 200
    assert [client.find_session(cookie) is None for cookie in (one, two, three)] == [True, True, False]


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a [<!ENTITY x "{ticket}">]>' + logout_request("TICKET").replace("TICKET", "&x;"),
        logout_request("{ticket}").replace("SAML:2.0:protocol", "SAML:1.0:protocol"),
        logout_request("{ticket}").replace("samlp:LogoutRequest", "samlp:LogoutResponse"),
        logout_request(),
        logout_request(*["{ticket}"] * 6),
        "<a>",
    ],
)
def test_a_document_that_isnt_one_is_refused_and_ends_nothing(document: str, client: SSOClient, cas: FakeCas) -> None:
    cookie, ticket = sign_in(client, cas)
    body = urlencode({"logoutRequest": document.replace("{ticket}", ticket)}).encode()
    assert client.receive_logout(body, FORM).status == 400
    assert client.find_session(cookie) is not None


def test_who_guesses_tickets_ends_nobody_and_fills_no_log(
    client: SSOClient, cas: FakeCas, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sso_client")
    cookie, _ = sign_in(client, cas)
    before = len(client.recent_events())
    for number in range(30):
        assert client.receive_logout(cas.logout_form(f"ST-{number}"), FORM).status == 200
    assert client.find_session(cookie) is not None
    assert len(client.recent_events()) == before, "they don't push what happened out of the log"
    caplog.clear()
    body = urlencode({"logoutRequest": logout_request(*(f"ST-{number}" for number in range(5)))}).encode()
    assert client.receive_logout(body, FORM).status == 200
    assert len(caplog.records) == 1


# ---------------------------------------------------------------- at the site's edge


def test_what_a_browser_keeps_for_one_site_opens_at_no_other_of_the_same_name(
    client: SSOClient, settings: Settings, tmp_path: Path
) -> None:
    """Nobody has given them a secret: the store's random name is it."""
    _, attempt = client.login_url("/")
    sealed, now_ms = client.seal.seal_attempt(attempt), client.now_ms()
    names = {"issuer": settings.issuer, "client_id": settings.client_id}
    for path, opened in (("sso.sqlite3", attempt), ("another.sqlite3", None)):
        other = SSOClient(settings, open_sqlite_store(tmp_path / path, **names))
        assert other.seal.unseal_attempt(sealed, now_ms) == opened
        other.close()


def test_another_browsers_answer_signs_nobody_in(site: AnySite, alice: Visitor, cas: FakeCas) -> None:
    """Login CSRF: Mallory's ticket, in a link that Alice opens."""
    mallory = site.visitor()
    back = urlsplit(cas.sign_in(mallory.start(), "mallory"))
    alice.start()
    answer = alice.get(f"{back.path}?{back.query}")
    assert (answer.status, (answer.location or "").partition("?")[0]) == (302, "/sso/login"), "her own, from the start"
    assert not alice.is_in()
    assert cas.calls == [], "the ticket wasn't even looked at"


def test_the_host_of_a_request_never_chooses_the_service(site: AnySite, alice: Visitor) -> None:
    page = alice.get("/sso/login", Host="evil.example")
    assert (page.location or "").startswith("http://localhost/sso/login?")
    start = alice.get("/sso/login?moved=1", Host="evil.example").location or ""
    assert parse_qs(urlsplit(start).query)["service"][0].startswith("http://localhost/sso/callback?state=")


def test_the_stores_name_which_signs_cookies_is_shown_to_nobody(site: AnySite, cas: FakeCas) -> None:
    names = {answer.header("Lockstep-Store") for answer in (post(site, b""), post(site, cas.logout_form("ST-1")))}
    assert len(names) == 1
    assert site.store.store_id not in names


def test_after_a_sign_out_the_server_sends_people_back_where_the_site_wants_it(
    make: Callable[..., AnySite], cas: FakeCas
) -> None:
    site = make(after_logout="redirect")
    alice = site.visitor()
    back = urlsplit(cas.sign_in(alice.start()))
    alice.get(f"{back.path}?{back.query}")
    out = alice.post("/sso/logout", Sec_Fetch_Site="same-origin")
    (service,) = parse_qs(urlsplit(out.location or "").query)["service"]
    assert service == "http://localhost/sso/logout?after=1"
    assert alice.get("/sso/logout?after=1").location == "/"


@pytest.mark.parametrize("options", [{}, {"after_logout": "redirect"}])
def test_a_server_that_knows_no_devices_ends_everywhere_what_it_knows(
    options: dict[str, str], make: Callable[..., AnySite], cas: FakeCas
) -> None:
    alice = make(**options).visitor()
    back = urlsplit(cas.sign_in(alice.start()))
    alice.get(f"{back.path}?{back.query}")
    out = alice.post("/sso/logout", {"scope": "everywhere"}, Sec_Fetch_Site="same-origin")
    assert (out.status, (out.location or "").partition("?")[0]) == (303, f"{cas.url}/logout")
    assert not alice.is_in()


@pytest.mark.parametrize("after_logout", ["page", "redirect"])
def test_at_our_centre_everywhere_is_asked_on_its_page(after_logout: str, centre: FakeProvider, tmp_path: Path) -> None:
    given = {"issuer": centre.issuer, "client_id": centre.client_id, "client_secret": centre.client_secret}
    more = {"protocol": "cas", "base_url": "http://localhost", "after_logout": after_logout}
    settings = load_settings(given | more, environ={})
    centre.discovery_changes = {"cas_server_url": f"{centre.issuer}/cas"}
    store = open_sqlite_store(tmp_path / "s.sqlite3", issuer=settings.issuer, client_id=settings.client_id)
    client = SSOClient(settings, store)
    assert client.sign_out(None, scope="everywhere").logout_url == f"{centre.issuer}/end-session?client_id=shop"
    client.close()


def post(site: AnySite, body: bytes) -> Page:
    return site.send("POST", "/sso/backchannel-logout", body, {"Content-Type": FORM})
