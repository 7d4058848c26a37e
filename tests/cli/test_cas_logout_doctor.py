"""The logout doctor at CAS sites without our SDK: small real sites, each with one fault; and one with it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sso_server.core.clients import CAS, ClientSecret, site_client
from sso_server.core.identifiers import SERVICE_TICKET, digest, is_kind
from tests.cli.conftest import Sso, settings_at
from tests.support.cas_rows import cas_client, ticket_in
from tests.support.ports import free_port
from tests.support.sinks import Sink

Doctor = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A centre's data with the tables, to be copied."""
    data = tmp_path_factory.mktemp("prepared") / "data"
    Sso(settings_at(data)).run("client", "list")
    return data


@pytest.fixture
def sso(prepared: Path, tmp_path: Path) -> Sso:
    shutil.copytree(prepared, tmp_path / "data")
    return Sso(settings_at(tmp_path / "data"))


@pytest.fixture
def doctor(sso: Sso) -> Doctor:
    """Registers the wiki with these services and examines it: the report, by `checks` a finding for each check."""

    def examine(*services: str, code: int = 0, **changes: Any) -> dict[str, Any]:
        built = sso.built()
        assert built.sql.clients.add(cas_client("wiki", *services, **changes))
        built.close()
        report: dict[str, Any] = json.loads(sso.run("client", "test", "wiki", "--json", code=code).stdout)
        report["checks"] = {finding["check"]: finding for finding in report["checks"]}
        return report

    return examine


def troubles(report: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {n: (f["level"], f["code"]) for n, f in report["checks"].items() if f["level"] in ("warn", "bad")}


def test_a_good_site_is_called_twice_for_a_ticket_that_nobody_has_and_hears_no_blame(doctor: Doctor) -> None:
    with Sink("ok") as sink:
        report = doctor(sink.url, sink.url + "/other")
        tickets = {ticket_in(request) for request in sink.inbox}
        assert (sink.count, len(tickets)) == (2, 1)
        assert all(is_kind(ticket, SERVICE_TICKET) for ticket in tickets)
    assert (troubles(report), report["verdict"], report["accepted"], report["cure"]) == ({}, "ok", True, "")
    assert report["logout_uri"] == sink.url
    assert list(report["checks"]) == [
        "registration", "address", "connection", "certificate", "answer", "speed", "repeat", "effect",
    ]  # fmt: skip
    assert report["checks"]["effect"]["level"] == "skipped", "that it ended anything can't be seen from here"


def test_where_a_logout_address_is_registered_that_is_called(doctor: Doctor) -> None:
    with Sink("ok") as service, Sink("ok") as sink:
        report = doctor(service.url, backchannel_logout_uri=sink.url)
        assert (service.count, sink.count, report["logout_uri"]) == (0, 2, sink.url)


@pytest.mark.parametrize(
    ("status", "location", "code", "words"),
    [
        ("301", "https://sso.example/login", "redirect_to_login", "CASSSOEnabled"),
        ("307", "/home", "redirect", "--cas-logout-uri"),
        ("403", "", "http_403", "exempt the address"),
        ("404", "", "http_404", "--cas-logout-uri"),
        ("405", "", "http_405", "single logout"),
        ("500", "", "site_failed", "own log"),
    ],
)
def test_what_is_wrong_and_what_to_do(doctor: Doctor, status: str, location: str, code: str, words: str) -> None:
    with Sink(status, headers={"Location": location} if location else {}) as sink:
        report = doctor(sink.url, code=1)
        assert sink.count == 1
    assert (troubles(report)["answer"], report["accepted"]) == (("bad", code), False)
    assert words in report["cure"]
    assert "token" not in report["cure"], "CAS knows none"


def test_a_protection_against_forged_forms_is_named(doctor: Doctor) -> None:
    def forbid(connection: Any) -> None:
        body = b"<h1>Forbidden</h1><p>CSRF verification failed. Request aborted.</p>"
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with Sink(forbid) as sink:
        report = doctor(sink.url, code=1)
    assert troubles(report) == {"answer": ("bad", "csrf")}
    assert "logoutRequest" in report["cure"]


def test_a_site_that_sends_the_call_on_counts_as_told_and_is_to_be_looked_at(doctor: Doctor) -> None:
    with Sink("302", headers={"Location": "https://sso.example/cas/login"}) as sink:
        report = doctor(sink.url)
    assert (troubles(report), report["accepted"]) == ({"answer": ("warn", "sent_on")}, True)
    assert "Sign out once and look" in report["cure"]


def test_a_prefix_that_refuses_the_call_is_no_fault_of_the_site_s_and_its_own_address_can_be_named(
    doctor: Doctor, sso: Sso
) -> None:
    with Sink("404") as sink:
        report = doctor(sink.url + "/")
        assert (troubles(report), report["accepted"]) == ({"answer": ("warn", "only_folder")}, False)
        assert "sso client test wiki --service URL" in report["cure"]
        assert "accepts" not in sso.run("client", "test", "wiki").stdout
        sink.script("ok")
        sink.inbox.clear()
        named = sso.run("client", "test", "wiki", "--service", sink.url + "/login", "--json")
        assert json.loads(named.stdout)["logout_uri"] == sink.url + "/login"
        assert {request.line.split()[1] for request in sink.inbox} == {urlsplit(sink.url + "/login").path}
    refused = sso.run("client", "test", "wiki", "--service", "https://evil.example/", code=1)
    assert "none of wiki's services" in refused.stderr


def test_nobody_there_is_said_as_of_any_other_site(doctor: Doctor) -> None:
    report = doctor(f"http://127.0.0.1:{free_port()}/app", code=1)
    assert troubles(report) == {"connection": ("bad", "connect")}


def test_one_with_our_sdk_is_examined_with_logout_tokens_whatever_people_sign_in_by(sso: Sso) -> None:
    with Sink("ok") as sink:
        built = sso.built()
        client = site_client("desk", "Desk", f"http://127.0.0.1:{sink.port}", 1, kind=CAS)
        client = replace(client, secrets=(ClientSecret(digest("s" * 40)),))
        assert built.sql.clients.add(client)
        built.close()
        sso.run("client", "test", "desk", "--json", code=1)
        assert "logout_token" in sink.inbox[0].form
