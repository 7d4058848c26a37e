"""`sso client` for sites that speak CAS: services without the SDK, and sites with it."""

from pathlib import Path

import pytest

from sso_server.core.check_in import CheckIn
from tests.cli.conftest import STORE, Sso

APP = "https://wiki.example.org/app/"
GRADES = ("grades", "--site", "https://grades.example.org", "--protocol", "cas")


def test_a_cas_service_needs_only_its_address_and_gets_no_secret(sso: Sso) -> None:
    added = sso.json("client", "add", "wiki", "--cas-service", APP, "--cas-service", "https://wiki.example.org/in?x=1")
    client = added["client"]
    assert (client["kind"], client["redirect_uris"], client["base_url"]) == ("cas", [], "")
    assert client["cas_services"] == [APP, "https://wiki.example.org/in?x=1"]
    assert (added["client_secret"], added["environment"], client["secrets"]) == (None, {}, [])
    assert added["cas_server_url"] == "http://127.0.0.1:9000/cas"
    printed = sso.run("client", "add", "wiki2", "--cas-service", "https://wiki2.example.org/").stdout
    assert "http://127.0.0.1:9000/cas" in printed
    assert "export" not in printed
    refused = sso.run("client", "rotate-secret", "wiki", code=1).stderr
    assert "no secret" in refused


def test_a_cas_service_is_told_at_its_own_address_and_the_page_says_what_that_is_worth(sso: Sso) -> None:
    sso.run("client", "add", "wiki", "--cas-service", APP, "--cas-attribute", "mail=email")
    assert sso.json("client", "show", "wiki")["promise"] == "told"
    shown = sso.run("client", "show", "wiki").stdout
    for words in (APP, "told; no bound known (a CAS service", "the service itself", "mail=email", "none (a CAS"):
        assert words in shown
    assert "lease" not in shown
    assert "tokens" not in shown
    sso.run("client", "update", "wiki", "--cas-logout-uri", "https://wiki.example.org/out")
    assert "https://wiki.example.org/out" in sso.run("client", "list").stdout


def test_a_site_with_the_sdk_may_sign_people_in_by_cas(sso: Sso) -> None:
    added = sso.json("client", "add", *GRADES)
    client, lines = added["client"], added["environment"]
    assert (client["kind"], client["cas_services"]) == ("cas", ["https://grades.example.org/sso/"])
    assert client["backchannel_logout_uri"] == "https://grades.example.org/sso/backchannel-logout"
    assert (client["redirect_uris"], client["base_url"]) == ([], "https://grades.example.org/")
    assert (lines["SSO_PROTOCOL"], lines["SSO_CLIENT_SECRET"]) == ("cas", added["client_secret"])
    built = sso.built()
    registered = built.services.clients.find("grades")
    assert registered is not None
    assert registered.accepts_secret(added["client_secret"], built.services.clock.now())
    built.services.check_ins.check_in(registered, CheckIn(STORE, None, (), (), (), None))
    built.close()
    assert sso.json("client", "show", "grades")["promise"] == "bounded"
    assert sso.json("client", "rotate-secret", "grades")["environment"]["SSO_PROTOCOL"] == "cas"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--protocol", "cas"], "--cas-service URL"),
        (["--cas-logout-uri", APP], "Say where the site is"),
        (["--cas-service", APP, "--redirect-uri", APP], "--cas-service is for CAS, and --redirect-uri for OpenID"),
        (["--cas-service", APP, "--backchannel-logout-uri", APP], "--backchannel-logout-uri for OpenID Connect"),
        (["--cas-service", APP, "--delivery", "poll"], "--delivery for OpenID Connect"),
        (["--cas-service", APP, "--public"], "--public or --confidential for OpenID Connect"),
        (["--cas-service", APP, "--protocol", "oidc"], "--protocol oidc for OpenID Connect"),
        (["--site", APP, "--protocol", "cas", "--audience", "shop"], "--protocol cas is for CAS, and --audience"),
        (["--site", APP, "--protocol", "cas", "--cas-service", APP], "derives the addresses: leave out --cas-service"),
        (["--site", APP, "--protocol", "cas", "--cas-logout-uri", APP], "leave out --cas-logout-uri"),
        (["--site", APP, "--cas-attribute", "mail=email"], "--protocol cas"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_a_usage_error_that_names_both(sso: Sso, args: list[str], words: str) -> None:
    assert words in sso.run("client", "add", "wiki", *args, code=2).stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--cas-service", "http://wiki.example.org/"], "must be https outside loopback"),
        (["--cas-service", "https://wiki.example.org/../"], "segment . or .."),
        (["--cas-service", "https://*.example.org/"], "characters that a URL may not have"),
        (["--cas-service", APP, "--cas-service", APP], "each once"),
        (["--cas-service", APP, "--cas-proxy-callback", "http://127.0.0.1/pgt"], "must be https"),
        (["--cas-service", APP, "--cas-attribute", "mail=mail"], "there is no claim 'mail'"),
        (["--cas-service", APP, "--cas-attribute", "e mail=email"], "can't be called"),
        (["--cas-service", APP, "--cas-attribute", "isFromNewLogin=name"], "can't be called"),
        (["--cas-service", APP, "--cas-attribute", "name", "--cas-attribute", "name=email"], "named twice"),
    ],
)
def test_what_cannot_be_registered_is_refused_with_the_reason(sso: Sso, args: list[str], words: str) -> None:
    assert words in sso.run("client", "add", "wiki", *args, code=1).stderr


def test_no_two_sites_have_the_same_address_and_one_may_lie_below_the_other(sso: Sso) -> None:
    sso.run("client", "add", "wiki", "--cas-service", APP)
    refused = sso.run("client", "add", "copy", "--cas-service", "https://WIKI.example.org:443/%61pp/", code=1)
    assert "belongs to the client 'wiki' already" in refused.stderr
    sso.run("client", "add", "deep", "--cas-service", APP + "deep/", "--cas-service", APP + "page")
    assert "'wiki' already" in sso.run("client", "update", "deep", "--cas-service", APP, code=1).stderr
    sso.run("client", "update", "wiki", "--cas-service", APP, "--cas-service", "https://WIKI.example.org:443/")
    assert (
        "'wiki' already" in sso.run("client", "add", "x", "--cas-service", "https://wiki.example.org/", code=1).stderr
    )
    built = sso.built()
    try:
        for service, owner in ((APP, "wiki"), (APP + "deep/er", "deep"), (APP + "page?ticket=ST-1", "deep")):
            found = built.services.clients.find_by_service(service)
            assert found is not None
            assert found.client_id == owner
        assert built.services.clients.find_by_service("https://late.example.org/") is None
        # Another process registers it, within the second in which the cache isn't compared.
        sso.run("client", "add", "late", "--cas-service", "https://late.example.org/")
        assert built.services.clients.find_by_service("https://late.example.org/") is not None
        assert built.services.clients.find_by_service("https://late.example.org@evil.example/") is None
    finally:
        built.close()


def test_a_client_keeps_its_protocol(sso: Sso, tmp_path: Path) -> None:
    sso.run("client", "add", "shop", "--site", "https://shop.example.org")
    sso.run("client", "add", "wiki", "--cas-service", APP)
    before = sso.json("client", "list")
    for args in (["wiki", "--protocol", "oidc"], ["wiki", "--redirect-uri", APP], ["shop", "--cas-service", APP],
                 ["shop", "--site", "https://shop.example.org", "--protocol", "cas"]):  # fmt: skip
        assert "a client keeps its protocol" in sso.run("client", "update", *args, code=1).stderr
    file = tmp_path / "other.toml"
    file.write_text('[[client]]\nclient_id = "shop"\nsite = "https://shop.example.org"\nprotocol = "cas"\n')
    assert "a client keeps its protocol" in sso.run("client", "apply", str(file), code=1).stderr
    assert sso.json("client", "list") == before


def test_a_cas_service_that_takes_the_sdk_gets_a_secret(sso: Sso) -> None:
    sso.run("client", "add", "wiki", "--cas-service", APP, "--scope", "openid", "--cas-attribute", "groups")
    changed = sso.json("client", "update", "wiki", "--site", "https://wiki.example.org")
    assert changed["client"]["cas_services"] == ["https://wiki.example.org/sso/"]
    assert changed["environment"]["SSO_CLIENT_SECRET"] == changed["client_secret"]
    client = sso.json("client", "update", "wiki", "--cas-attribute", "")["client"]
    assert (client["cas_attributes"], client["scopes"]) == ([], ["openid"])


def test_what_add_can_say_of_a_cas_service_a_file_can_say(sso: Sso, tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(
        """
[[client]]
client_id = "wiki"
cas_services = ["https://wiki.example.org/app/"]
cas_logout_uri = "https://wiki.example.org/out"
cas_proxy_callbacks = ["https://wiki.example.org/pgt"]
cas_attributes = ["mail=email", "groups"]
scopes = ["profile"]
[[client]]
client_id = "grades"
site = "https://grades.example.org"
protocol = "cas"
"""
    )
    done = sso.json("client", "apply", str(file))["clients"]
    assert [entry["environment"] and entry["environment"]["SSO_PROTOCOL"] for entry in done] == [None, "cas"]
    assert {entry["action"] for entry in sso.json("client", "apply", str(file))["clients"]} == {"same"}
    by_file = sso.json("client", "list")
    sso.run("client", "remove", "wiki")
    sso.run("client", "remove", "grades")
    sso.run(
        "client", "add", "wiki", "--cas-service", APP, "--cas-logout-uri", "https://wiki.example.org/out",
        "--cas-proxy-callback", "https://wiki.example.org/pgt", "--cas-attribute", "mail=email", "--cas-attribute",
        "groups", "--scope", "profile",
    )  # fmt: skip
    sso.run("client", "add", *GRADES)
    assert [{**one, "created_at": 0} for one in sso.json("client", "list")] == [
        {**one, "created_at": 0} for one in by_file
    ]


def test_every_problem_of_cas_services_in_a_file_is_named_at_once(sso: Sso, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(
        f"""
[[client]]
client_id = "a"
cas_services = ["http://wiki.example.org/"]
cas_attributes = ["mail"]
[[client]]
client_id = "b"
cas_services = ["{APP}"]
redirect_uris = ["{APP}"]
[[client]]
client_id = "c"
site = "{APP}"
protocol = "saml"
[[client]]
client_id = "d"
cas_services = ["https://d.example.org/"]
secret_sha256 = ["{"0" * 64}"]
"""
    )
    said = sso.run("client", "apply", str(file), code=1).stderr
    for words in (
        "has 5 problems",
        "Client a (line 2): cas_service 'http://wiki.example.org/' must be https",
        "Client a (line 2): cas_attribute 'mail'",
        "Client b (line 6): cas_services is for CAS, and redirect_uris for OpenID Connect",
        "Client c (line 10): protocol 'saml' is not one of oidc, cas",
        "Client d (line 14): a CAS service without the SDK has no secret",
    ):
        assert words in said
    file.write_text("".join(f'[[client]]\nclient_id = "{name}"\ncas_services = ["{APP}"]\n' for name in "ab"))
    assert "belongs to the client 'b' already" in sso.run("client", "apply", str(file), code=1).stderr
