"""The logout doctor: for each class of fault one small real site that has it, found under its code; no false alarm."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from sso_server.core.check_in import CheckIn
from sso_server.core.polls import PollReport
from sso_server.crypto.key_pairs import make_private_key, public_jwk
from tests.cli.conftest import STORE, Sso, settings_at
from tests.support.certificates import Authority, make_authority
from tests.support.ports import free_port
from tests.support.receivers import Posted, Receiver, Reply
from tests.support.sinks import Sink

HTML = "<!DOCTYPE html><title>Shop</title>"
Doctor = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A centre's data with the tables, the keys and one site, to be copied: making them takes long."""
    data = tmp_path_factory.mktemp("prepared") / "data"
    sso = Sso(settings_at(data))
    sso.run("client", "add", "shop", "--redirect-uri", "http://127.0.0.1:5000/cb")
    built = sso.built()
    built.signing_keys.ensure_keys()
    built.close()
    return data


@pytest.fixture
def sso(prepared: Path, tmp_path: Path) -> Sso:
    """With one site, `shop`."""
    shutil.copytree(prepared, tmp_path / "data")
    return Sso(settings_at(tmp_path / "data"))


@pytest.fixture
def jwks(sso: Sso) -> list[dict[str, str]]:
    """The centre's public keys."""
    built = sso.built()
    keys = built.services.signer.jwks()
    built.close()
    return keys


@pytest.fixture
def receiver(jwks: list[dict[str, str]]) -> Callable[..., Receiver]:
    return lambda **parts: Receiver(**{"jwks": lambda: jwks, **parts})


@pytest.fixture
def doctor(sso: Sso) -> Doctor:
    """Registers the address and examines it: the report, by `checks` a finding for each check."""

    def examine(url: str, *, code: int = 1, update: tuple[str, ...] = ()) -> dict[str, Any]:
        sso.run("client", "update", "shop", "--backchannel-logout-uri", url, *update)
        report: dict[str, Any] = json.loads(sso.run("client", "test", "shop", "--json", code=code).stdout)
        report["checks"] = {finding["check"]: finding for finding in report["checks"]}
        return report

    return examine


def alg(call: Posted) -> str:
    """What the token says that it is signed with."""
    return str(jwt.get_unverified_header(call.body.decode().removeprefix("logout_token="))["alg"])


def troubles(report: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """check -> (level, code), for what is not in order."""
    return {n: (f["level"], f["code"]) for n, f in report["checks"].items() if f["level"] in ("warn", "bad")}


def test_a_correct_site_gets_no_word_of_blame(doctor: Doctor, receiver: Callable[..., Receiver]) -> None:
    with receiver() as site:
        report = doctor(site.url, code=0)
        assert len({call.claims["jti"] for call in site.calls if call.claims}) == 2
        assert len({call.claims["sid"] for call in site.calls if call.claims}) == 1
    assert (troubles(report), report["verdict"], report["cure"]) == ({}, "ok", "")
    assert list(report["checks"]) == [
        "registration", "address", "connection", "certificate", "answer", "speed", "clock", "repeat", "forged", "store",
    ]  # fmt: skip
    assert report["checks"]["forged"]["said"] == (
        "refused: broken signature 400, no signature 400, another site's 400, expired 400"
    )


def test_every_token_but_the_good_ones_is_bad_in_one_way_only(
    doctor: Doctor, receiver: Callable[..., Receiver]
) -> None:
    """Else a receiver that checks only something else would pass for one that checks this."""
    lax = {"verify_signature": False}
    with receiver(checks=lax) as site:
        doctor(site.url)
        seen = [call.claims for call in site.calls]
    assert [claims is not None for claims in seen] == [True, True, True, True, True, False]


FAULTS: dict[str, tuple[dict[str, Any], dict[str, tuple[str, str]]]] = {
    "redirects to another page": (
        {"before": lambda _: (302, ""), "headers": {"Location": "/other"}},
        {"answer": ("bad", "redirect")},
    ),
    "redirects to its login": (
        {"before": lambda _: (303, ""), "headers": {"Location": "https://shop.example/accounts/login?next=/logout"}},
        {"answer": ("bad", "redirect_to_login")},
    ),
    "redirects to https": (
        {"before": lambda _: (301, ""), "headers": {"Location": "https://127.0.0.1/logout"}},
        {"answer": ("bad", "redirect_to_https")},
    ),
    "wants a password": ({"before": lambda _: (401, "")}, {"answer": ("bad", "http_401")}),
    "is forbidden by a filter": ({"before": lambda _: (403, "Request blocked")}, {"answer": ("bad", "http_403")}),
    "protects itself against forged forms, 403": (
        {"before": lambda _: (403, "<h1>Forbidden</h1> CSRF verification failed.")},
        {"answer": ("bad", "csrf")},
    ),
    "protects itself against forged forms, 400": (
        {"before": lambda _: (400, "Bad Request: The CSRF token is missing.")},
        {"answer": ("bad", "csrf")},
    ),
    "has another path": ({"before": lambda _: (404, "")}, {"answer": ("bad", "http_404")}),
    "takes no POST": ({"before": lambda _: (405, "")}, {"answer": ("bad", "http_405")}),
    "takes JSON only, 415": (
        {"before": lambda call: (415, "") if "json" not in call.content_type else (200, "")},
        {"answer": ("bad", "json_only")},
    ),
    "takes JSON only, 400": (
        {"before": lambda call: (400, "no JSON") if "json" not in call.content_type else (200, "")},
        {"answer": ("bad", "json_only")},
    ),
    "takes no form and no JSON": ({"before": lambda _: (415, "")}, {"answer": ("bad", "http_415")}),
    "fails": ({"before": lambda _: (500, "")}, {"answer": ("bad", "site_failed")}),
    "has the SDK and can't reach us": (
        {"before": lambda _: (503, ""), "headers": {"Lockstep-Store": STORE}},
        {"answer": ("bad", "sdk_failed")},
    ),
    "is a page for everything": (
        {"before": lambda _: (200, HTML)},
        {"forged": ("bad", "answers_anything")},
    ),
    "checks no signature": ({"checks": {"verify_signature": False}}, {"forged": ("bad", "accepts_forged")}),
    "takes tokens that nobody signed": (
        {"before": lambda call: (200, "") if alg(call) == "none" else None},
        {"forged": ("bad", "accepts_forged")},
    ),
    "believes whatever comes": ({"before": lambda _: (200, "")}, {"forged": ("bad", "accepts_forged")}),
    "takes tokens of other sites": ({"checks": {"verify_aud": False}}, {"forged": ("warn", "accepts_foreign")}),
    "takes expired tokens": ({"checks": {"verify_exp": False}}, {"forged": ("warn", "accepts_expired")}),
    "falls over bad tokens": (
        {"after": lambda call, reply: (500, "") if call.claims is None else reply},
        {"forged": ("warn", "forged_breaks")},
    ),
    "has a clock that is ahead": (
        {"clock_off_s": 600},
        {"answer": ("bad", "http_400"), "clock": ("bad", "clock_ahead")},
    ),
    "has a clock that is behind": (
        {"clock_off_s": -600},
        {"answer": ("bad", "http_400"), "clock": ("bad", "clock_behind")},
    ),
    "has a clock that is off and takes the token still": ({"clock_off_s": 60}, {"clock": ("warn", "clock_ahead")}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_site_that(fault: str, doctor: Doctor, receiver: Callable[..., Receiver]) -> None:
    parts, expected = FAULTS[fault]
    with receiver(**parts) as site:
        report = doctor(site.url, code=1 if any(level == "bad" for level, _ in expected.values()) else 0)
    assert troubles(report) == expected
    assert all(report["checks"][check]["cure"] for check in expected)


def test_a_site_that_refuses_a_repeat(doctor: Doctor, receiver: Callable[..., Receiver]) -> None:
    ended: set[str] = set()

    def once(call: Posted) -> Reply | None:
        if call.claims is None:
            return None
        known = call.claims["sid"] in ended
        ended.add(call.claims["sid"])
        return (400, "unknown session") if known else None

    with receiver(before=once) as site:
        assert troubles(doctor(site.url)) == {"repeat": ("bad", "refuses_repeat")}


def test_a_site_with_other_keys_shows_why_it_refuses(doctor: Doctor, receiver: Callable[..., Receiver]) -> None:
    stranger = public_jwk(make_private_key("RS256"), "RS256")
    says = {"after": lambda _call, _reply: (400, '{"error_description":\n"signature_wrong\x1b[31m"}')}
    with receiver(jwks=lambda: [stranger], **says) as site:
        report = doctor(site.url)
    assert troubles(report) == {"answer": ("bad", "http_400")}
    assert "400 after" in report["checks"]["answer"]["said"]
    assert '{"error_description": "signature_wrong [31m"}' in report["checks"]["answer"]["said"]


def test_a_site_that_answers_slowly(doctor: Doctor, receiver: Callable[..., Receiver]) -> None:
    def slowly(call: Posted) -> None:
        time.sleep(2.2 if call.count == 0 else 0)

    with receiver(before=slowly) as site:
        assert troubles(doctor(site.url, code=0)) == {"speed": ("warn", "slow")}


def test_a_site_with_the_sdk_behind_something_that_drops_its_header(
    sso: Sso, doctor: Doctor, receiver: Callable[..., Receiver]
) -> None:
    built = sso.built()
    client = built.services.clients.find("shop")
    assert client is not None
    built.services.check_ins.check_in(client, CheckIn(STORE, None, (), (), (), None))
    built.close()
    with receiver() as site:
        report = doctor(site.url, code=0)
        site.headers["Lockstep-Store"] = STORE
        assert troubles(doctor(site.url, code=0)) == {}
    assert troubles(report) == {"store": ("warn", "no_store")}
    assert "names no store" in report["cure"]


@pytest.mark.parametrize(
    ("behaviour", "code"), [("close", "reset"), ("noise", "protocol"), ("hang", "timeout"), ("700", "protocol")]
)
def test_a_site_that_gives_no_answer(doctor: Doctor, behaviour: str, code: str) -> None:
    with Sink(behaviour) as sink:
        assert troubles(doctor(sink.url)) == {"answer": ("bad", code)}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:{free}/logout", {"connection": ("bad", "connect")}),
        ("https://no-such-host.invalid/logout", {"address": ("bad", "dns")}),
        ("https://10.0.0.1/logout", {"address": ("bad", "address_forbidden")}),
        ("https://2130706433/logout", {"address": ("bad", "address_forbidden")}),
        ("http://93.184.216.34/logout", {"address": ("bad", "http_forbidden")}),
        ("", {"registration": ("bad", "no_address")}),
    ],
)
def test_an_address_that_cannot_be_called(doctor: Doctor, url: str, expected: dict[str, Any]) -> None:
    assert troubles(doctor(url.format(free=free_port()))) == expected


@pytest.fixture
def authority(tmp_path: Path, sso: Sso, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """One that the centre trusts, as an operator would have it."""
    made = make_authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", made.ca_file)
    return made


@pytest.mark.parametrize(
    ("name", "days", "level", "code"),
    [
        ("127.0.0.1", (-1, 90), "ok", ""),
        ("127.0.0.1", (-1, 5), "warn", "certificate_expires_soon"),
        ("127.0.0.1", (-9, -1), "bad", "certificate_expired"),
        ("127.0.0.1", (1, 9), "bad", "certificate_not_yet_valid"),
        ("shop.example", (-1, 90), "bad", "certificate_name"),
    ],
)
def test_a_certificate(
    doctor: Doctor,
    receiver: Callable[..., Receiver],
    authority: Authority,
    name: str,
    days: tuple[float, float],
    level: str,
    code: str,
) -> None:
    with receiver(tls=authority.context(name, days=days)) as site:
        report = doctor(site.url, code=int(level == "bad"))
    found = report["checks"]["certificate"]
    assert (found["level"], found["code"], report["verdict"]) == (level, code, level)
    if level == "ok":
        assert found["said"].startswith("TLSv1.3, ")
        assert found["said"].endswith("(89 days)")


def test_a_certificate_from_an_authority_that_nobody_trusts(
    doctor: Doctor, receiver: Callable[..., Receiver], tmp_path: Path
) -> None:
    with receiver(tls=make_authority(tmp_path).context("127.0.0.1")) as site:
        assert troubles(doctor(site.url)) == {"certificate": ("bad", "certificate_untrusted")}


def test_a_port_that_speaks_plain_http(doctor: Doctor, receiver: Callable[..., Receiver]) -> None:
    with receiver() as site:
        report = doctor(site.url.replace("http:", "https:"))
    assert troubles(report) == {"certificate": ("bad", "tls")}


def test_a_site_that_asks_by_itself_is_not_called(sso: Sso) -> None:
    sso.run("client", "update", "shop", "--delivery", "poll")

    def report() -> dict[str, Any]:
        told: dict[str, Any] = json.loads(sso.run("client", "test", "shop", "--json").stdout)
        return told

    never = report()
    assert (never["verdict"], never["delivery"], never["accepted"], never["error"]) == ("warn", "poll", None, "")
    assert [finding["code"] for finding in never["checks"]] == ["asks_no_more"]
    built = sso.built()
    now = built.services.clock.now()
    built.session_stores.polls.poll(PollReport("shop", (), ()), now - 600_000, 1)
    assert report()["checks"][0]["code"] == "asks_no_more"
    built.session_stores.polls.poll(PollReport("shop", (), ()), now, 1)
    built.close()
    assert (report()["verdict"], report()["cure"]) == ("ok", "")
    assert "there is nothing to call; it asked" in sso.run("client", "test", "shop").stdout
