"""`sso registration`."""

from sso_server.core.policy import DAY
from tests.cli.conftest import Sso


def registers(sso: Sso, token: str, **members: object) -> str:
    """Somebody registers; as whom."""
    built = sso.built()
    try:
        said = {"redirect_uris": ["https://rp.example/cb"], **members}
        return built.services.registrations.register(said, token, "192.0.2.7").client.client_id
    finally:
        built.close()


def test_a_token_is_printed_once_and_lets_clients_in(sso: Sso) -> None:
    printed = sso.run("registration", "add", "staging", "--uses", "1", "--expires", "30d").stdout.splitlines()
    assert printed[0].endswith("Clients register at http://127.0.0.1:9000/register")
    client_id = registers(sso, printed[1])
    assert sso.json("client", "show", client_id)["metadata"]["registered_with"] == "staging"
    (listed,) = sso.json("registration", "list")
    assert (listed["name"], listed["uses_left"]) == ("staging", 0)
    assert listed["expires_at"] - listed["created_at"] == 30 * DAY
    assert printed[1] not in sso.run("registration", "list").stdout
    assert "staging  no" in sso.run("registration", "list").stdout


def test_a_token_says_what_its_clients_may_have(sso: Sso) -> None:
    options = ("--scope", "groups", "--grant", "authorization_code", "--grant", "client_credentials")
    added = sso.json("registration", "add", "ours", *options)
    assert (added["scopes"], added["grants"]) == (["openid", "groups"], ["authorization_code", "client_credentials"])
    client_id = registers(sso, added["token"], grant_types=["authorization_code", "client_credentials"])
    assert sso.json("client", "show", client_id)["scopes"] == ["openid", "groups"]


def test_a_removed_token_lets_nobody_in(sso: Sso) -> None:
    sso.run("registration", "add", "staging")
    assert "already" in sso.run("registration", "add", "staging", code=1).stderr
    assert sso.json("registration", "remove", "staging") == {"name": "staging", "removed": True}
    assert "no initial access token 'staging'" in sso.run("registration", "remove", "staging", code=1).stderr
    assert sso.json("registration", "list") == []
    assert "Make one: sso registration add NAME" in sso.run("registration", "list").stdout


def test_a_token_that_nobody_needs_says_so(sso: Sso) -> None:
    for mode, words in (("open", "without it, too"), ("off", "not at all")):
        sso.env["SSO_REGISTRATION"] = mode
        assert words in sso.run("registration", "add", mode).stderr


def test_making_and_removing_one_is_in_the_audit(sso: Sso) -> None:
    sso.run("registration", "add", "staging")
    sso.run("registration", "remove", "staging")
    built = sso.built()
    try:
        events = built.sql.audit.list_events(2)
    finally:
        built.close()
    assert [(e.kind, e.data["change"], e.data["name"]) for e in events] == [
        ("registration_token", "removed", "staging"),
        ("registration_token", "added", "staging"),
    ]
