"""`sso client test`: a real call to a real address, what people read of it, and what it leaves behind."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from tests.cli.conftest import STORE, Sso
from tests.support.ports import free_port
from tests.support.receivers import Receiver
from tests.support.sinks import Sink

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def register(sso: Sso, logout_uri: str, *options: str) -> None:
    sso.run("client", "add", "shop", "--redirect-uri", "http://127.0.0.1:5000/cb", *options)
    if logout_uri:
        sso.run("client", "update", "shop", "--backchannel-logout-uri", logout_uri)


def trial(sso: Sso, *, code: int = 0) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(sso.run("client", "test", "shop", "--json", code=code).stdout)
    return answer


@pytest.fixture
def site(sso: Sso) -> Iterator[Receiver]:
    sso.run("client", "list")  # makes the tables
    built = sso.built()
    built.signing_keys.ensure_keys()
    jwks = built.services.signer.jwks()
    built.close()
    with Receiver(lambda: jwks, headers={"Lockstep-Store": STORE}) as receiver:
        yield receiver


def test_a_site_that_accepts_is_told_of_a_session_that_nobody_has(sso: Sso, site: Receiver) -> None:
    register(sso, site.url)
    answer = trial(sso)
    assert (answer["accepted"], answer["status"], answer["store_id"], answer["cure"]) == (True, 200, STORE, "")
    assert (answer["logout_uri"], answer["took_ms"] >= 0, answer["verdict"]) == (site.url, True, "ok")
    claims = site.calls[0].claims
    assert claims is not None
    assert claims["events"] == {EVENT: {}}
    assert jwt.get_unverified_header(site.calls[0].body.decode().partition("=")[2])["typ"] == "logout+jwt"
    built = sso.built()
    assert built.session_stores.sessions.find(claims["sid"]) is None
    assert built.services.users.find(claims["sub"]) is None
    built.close()
    assert sso.json("signout", "list") == [], "the ledger hears nothing of it"


def test_what_people_read(sso: Sso, site: Receiver) -> None:
    register(sso, site.url)
    text = sso.run("client", "test", "shop").stdout
    assert text.splitlines()[0].split() == ["ok", "registration", site.url]
    assert "-     certificate   plain http" in text
    assert text.endswith("shop accepts logout calls.\n")
    site.before = lambda _: (401, "")
    refused = sso.run("client", "test", "shop", code=1)
    assert "bad   answer        401 after" in refused.stdout
    assert "exempt the logout address" in refused.stdout
    assert refused.stderr == "Error: shop did not accept the logout call.\n"
    site.before = lambda _: (200, "")
    dangerous = sso.run("client", "test", "shop", code=1)
    assert "DANGEROUS: anybody can sign people out" in dangerous.stdout
    assert dangerous.stderr == "Error: shop accepts logout calls, but not as it must.\n"


@pytest.mark.parametrize(
    ("behaviour", "status", "cure"),
    [
        ("redirect", 302, "final address"),
        ("400", 400, "issuer (http://127.0.0.1:9000), audience (shop), the clocks"),
        ("404", 404, "/sso/backchannel-logout"),
        ("418", 418, "doesn't foresee"),
        ("hang", None, "in time"),
    ],
)
def test_the_first_thing_to_mend_has_its_cure(sso: Sso, behaviour: str, status: int | None, cure: str) -> None:
    with Sink(behaviour) as sink:
        register(sso, sink.url)
        answer = trial(sso, code=1)
    assert (answer["accepted"], answer["status"]) == (False, status)
    assert cure in answer["cure"]


def test_a_private_address_may_be_called_where_the_client_has_leave(sso: Sso, monkeypatch: pytest.MonkeyPatch) -> None:
    register(sso, "http://10.0.0.1/logout", "--allow-private")
    called: list[Any] = []

    def refuse(_socket: socket.socket, address: Any) -> None:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert trial(sso, code=1)["error"] == "connect"
    assert called == [("10.0.0.1", 80)]


def test_a_site_that_nobody_registered_is_refused(sso: Sso) -> None:
    assert "no client 'shop'" in sso.run("client", "test", "shop", code=1).stderr


def test_of_a_site_that_was_not_reached_nobody_says_that_it_refused(sso: Sso) -> None:
    register(sso, "")
    assert sso.run("client", "test", "shop", code=1).stderr == "Error: shop can't be called.\n"
    sso.run("client", "update", "shop", "--backchannel-logout-uri", f"http://127.0.0.1:{free_port()}/")
    silent = sso.run("client", "test", "shop", code=1)
    assert silent.stderr == "Error: The logout call got no answer from shop.\n"
