"""A real centre with its delivery process tells the receivers of docs/receivers; the logout doctor finds them sound."""

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sso_server.core.clients import Client
from sso_server.core.identifiers import BROWSER
from sso_server.core.sign_in import Visitor
from sso_server.core.tickets import s256
from tests.receivers.conftest import RunningReceiver, Start
from tests.support.centre import Centre, Site, wait_until

SECRET = "secret-of-the-shop-0123456789abcdef0123456789"


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    centre = Centre(tmp_path_factory.mktemp("centre"))
    try:
        centre.cli("db", "upgrade")
        centre.add_user()
        yield centre.start()
    finally:
        centre.process.stop()


def sign_in(centre: Centre, client_id: str) -> dict[str, str]:
    """A session that opened this site, through the centre's own services."""
    with centre.core() as built:
        services = built.services
        browser = services.randomness.identifier(BROWSER, services.randomness.bucket())
        visitor = Visitor(browser_id=browser, address="192.0.2.7", user_agent="Firefox", known_mark="")
        session = services.sign_in.open(services.accounts.get("alice"), visitor, remember=False).session
        client = services.clients.find(client_id)
        assert client is not None
        uri, verifier = client.redirect_uris[0], "v" * 43
        ticket = services.tickets.issue(
            session, client, redirect_uri=uri, code_challenge=s256(verifier), nonce="", scope=("openid",)
        )
        services.tickets.redeem(ticket, client, redirect_uri=uri, code_verifier=verifier, store_id="")
    return {"sid": session.sid, "sub": session.user_id}


@pytest.fixture(scope="module", params=["RS256", "ES256", "EdDSA"])
def shop(request: pytest.FixtureRequest, start: Start, centre: Centre) -> tuple[str, RunningReceiver]:
    """A receiver, registered, with each algorithm."""
    client_id = f"shop-{secrets.token_hex(3)}"
    receiver = start(centre.issuer, client_id, f"{centre.issuer}/jwks.json")
    client = Client(client_id, "Shop", 1, redirect_uris=("http://127.0.0.1:5000/cb",), id_token_alg=request.param)
    centre.add_client(replace(client, backchannel_logout_uri=receiver.logout_uri), SECRET)
    return client_id, receiver


def test_a_sign_out_ends_the_local_session_and_no_other(centre: Centre, shop: tuple[str, RunningReceiver]) -> None:
    client_id, receiver = shop
    ending, staying = sign_in(centre, client_id), sign_in(centre, client_id)
    receiver.open(one=ending, two=staying)
    centre.cli("session", "end", ending["sid"])
    wait_until(lambda: receiver.sessions() == {"two": staying}, why="the receiver to be told")

    def states() -> list[str]:
        with centre.core() as built:
            return [row.state.value for row in built.session_stores.ledger.of_session(ending["sid"])]

    wait_until(lambda: states() == ["acknowledged"], why="the ledger to know")


def test_the_doctor_finds_nothing_to_mend(centre: Centre, shop: tuple[str, RunningReceiver]) -> None:
    client_id, receiver = shop
    local = {"sid": "sid-07-" + "b" * 32, "sub": "usr-" + "b" * 32}
    receiver.open(own=local)
    report = centre.cli("client", "test", client_id)
    assert (report["verdict"], report["cure"]) == ("ok", ""), report
    assert receiver.sessions()["own"] == local


def test_the_doctor_finds_nothing_to_mend_at_a_site_with_the_sdk(centre: Centre) -> None:
    site = Site(centre, "wiki")
    try:
        site.start()
        report = centre.cli("client", "test", "wiki")
    finally:
        site.process.stop()
    assert (report["verdict"], report["cure"]) == ("ok", ""), report
    assert {finding["check"]: finding["level"] for finding in report["checks"]} == {
        "registration": "ok",
        "address": "ok",
        "connection": "ok",
        "certificate": "skipped",
        "answer": "ok",
        "speed": "ok",
        "clock": "ok",
        "repeat": "ok",
        "forged": "ok",
        "store": "ok",
    }
