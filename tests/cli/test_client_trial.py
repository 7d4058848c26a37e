"""`sso client test`: a real call to a real address, and a cure for each way it can fail."""

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import jwt
import pytest

from sso_server.core.check_in import CheckIn
from tests.cli.conftest import STORE, Sso
from tests.support.certificates import make_authority
from tests.support.ports import free_port
from tests.support.sinks import Sink

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def register(sso: Sso, logout_uri: str, *options: str) -> None:
    sso.run("client", "add", "shop", "--redirect-uri", "http://127.0.0.1:5000/cb", *options)
    if logout_uri:
        sso.run("client", "update", "shop", "--backchannel-logout-uri", logout_uri)


def trial(sso: Sso, *, code: int = 0) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(sso.run("client", "test", "shop", "--json", code=code).stdout)
    return answer


def test_a_site_that_accepts_is_told_of_a_session_that_nobody_has(sso: Sso) -> None:
    with Sink("ok", headers={"Lockstep-Store": STORE}) as sink:
        register(sso, sink.url)
        answer = trial(sso)
        (request,) = sink.inbox
    assert (answer["accepted"], answer["status"], answer["store_id"], answer["cure"]) == (True, 200, STORE, "")
    assert (answer["logout_uri"], answer["took_ms"] >= 0) == (sink.url, True)
    token = request.form["logout_token"]
    built = sso.built()
    keys = {key["kid"]: jwt.PyJWK(key) for key in built.services.signer.jwks()}
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, keys[header["kid"]], audience="shop", issuer="http://127.0.0.1:9000")
    assert (header["typ"], claims["events"]) == ("logout+jwt", {EVENT: {}})
    assert built.session_stores.sessions.find(claims["sid"]) is None
    assert built.services.users.find(claims["sub"]) is None
    built.close()
    assert sso.json("signout", "list") == [], "the ledger hears nothing of it"


def test_what_people_read(sso: Sso) -> None:
    with Sink("204") as sink:
        register(sso, sink.url)
        text = sso.run("client", "test", "shop").stdout
        assert "shop accepts logout calls." in text
        assert "204" in text
        sink.script("401")
        refused = sso.run("client", "test", "shop", code=1)
    assert "exempt the logout address" in refused.stdout
    assert refused.stderr == "Error: shop did not accept the logout call.\n"


@pytest.mark.parametrize(
    ("behaviour", "status", "error", "cure"),
    [
        ("redirect", 302, "", "final address"),
        ("400", 400, "", "issuer (http://127.0.0.1:9000), audience (shop), the clocks"),
        ("401", 401, "", "credentials"),
        ("403", 403, "", "CSRF"),
        ("404", 404, "", "/sso/backchannel-logout"),
        ("405", 405, "", "POST"),
        ("415", 415, "", "application/x-www-form-urlencoded"),
        ("418", 418, "", "doesn't foresee"),
        ("500", 500, "", "its own log"),
        ("close", None, "reset", "hung up"),
        ("noise", None, "protocol", "no HTTP"),
        ("hang", None, "timeout", "in time"),
    ],
)
def test_each_answer_that_is_no_yes_has_a_cure(
    sso: Sso, behaviour: str, status: int | None, error: str, cure: str
) -> None:
    with Sink(behaviour) as sink:
        register(sso, sink.url)
        answer = trial(sso, code=1)
    assert (answer["accepted"], answer["status"], answer["error"]) == (False, status, error)
    assert cure in answer["cure"]


@pytest.mark.parametrize(
    ("address", "error", "cure"),
    [
        ("", "no_address", "--backchannel-logout-uri"),
        ("http://127.0.0.1:{free}/logout", "connect", "is the site running"),
        ("https://no-such-host.invalid/logout", "dns", "typing error"),
        ("https://10.0.0.1/logout", "address_forbidden", "sso client update shop --allow-private"),
        ("https://169.254.169.254/logout", "address_forbidden", "never called"),
    ],
)
def test_an_address_that_cannot_be_called_has_a_cure(sso: Sso, address: str, error: str, cure: str) -> None:
    register(sso, address.format(free=free_port()))
    answer = trial(sso, code=1)
    assert (answer["accepted"], answer["status"], answer["error"]) == (False, None, error)
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


def test_a_certificate_that_nobody_trusts_is_named(sso: Sso, tmp_path: Path) -> None:
    tls: ssl.SSLContext = make_authority(tmp_path).context("site.example")
    with Sink("ok", tls=tls) as sink:
        register(sso, f"https://127.0.0.1:{sink.port}/logout")
        answer = trial(sso, code=1)
    assert answer["error"] == "tls"
    assert "certificate" in answer["cure"]


def test_a_site_with_the_sdk_whose_answer_names_no_store_is_accepted_with_a_warning(sso: Sso) -> None:
    with Sink("ok") as sink:
        register(sso, sink.url)
        built = sso.built()
        client = built.services.clients.find("shop")
        assert client is not None
        built.services.check_ins.check_in(client, CheckIn(STORE, None, (), (), (), None))
        built.close()
        answer = trial(sso)
    assert (answer["accepted"], answer["store_id"]) == (True, None)
    assert "names no store" in answer["cure"]


def test_an_sdk_that_cannot_ask_for_our_keys_is_told_from_a_site_that_fails(sso: Sso) -> None:
    with Sink("503", headers={"Lockstep-Store": STORE}) as sink:
        register(sso, sink.url)
        assert "reach the centre at http://127.0.0.1:9000" in trial(sso, code=1)["cure"]


def test_a_site_that_nobody_registered_is_refused(sso: Sso) -> None:
    assert "no client 'shop'" in sso.run("client", "test", "shop", code=1).stderr
