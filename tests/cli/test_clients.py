"""`sso client`."""

import json
import subprocess
from pathlib import Path

import pytest

from sso_server.cli.centre import Centre
from sso_server.core.clients import Client
from tests.cli.conftest import PASSWORD, STORE, Sso


def accepts(sso: Sso, client_id: str, secret: str) -> bool:
    built = sso.built()
    try:
        client = built.services.clients.find(client_id)
        assert client is not None
        return client.accepts_secret(secret, built.services.clock.now())
    finally:
        built.close()


def test_a_site_needs_only_its_address(sso: Sso) -> None:
    client = sso.json("client", "add", "shop", "--name", "Shop", "--site", "http://127.0.0.1:5000/")["client"]
    assert client["redirect_uris"] == ["http://127.0.0.1:5000/sso/callback"]
    assert client["post_logout_redirect_uris"] == ["http://127.0.0.1:5000/"]
    assert client["backchannel_logout_uri"] == "http://127.0.0.1:5000/sso/backchannel-logout"
    assert (client["name"], client["id_token_alg"], client["public"]) == ("Shop", "ES256", False)
    assert (client["lease_s"], client["grace_s"], client["promise"]) == (60, 0, "told")


def test_the_printed_lines_are_ready_for_a_shell_and_hold_the_secret(sso: Sso) -> None:
    printed = sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000").stdout
    script = printed + '\nprintf "%s\\n" "$SSO_ISSUER" "$SSO_CLIENT_ID" "$SSO_CLIENT_SECRET"'
    done = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, check=True)
    issuer, client_id, secret = done.stdout.splitlines()
    assert (issuer, client_id) == ("http://127.0.0.1:9000", "shop")
    assert accepts(sso, "shop", secret)
    assert secret not in sso.run("client", "show", "shop", "--json").stdout


def test_a_client_without_the_sdk_names_its_addresses(sso: Sso) -> None:
    added = sso.json(
        "client", "add", "wiki", "--redirect-uri", "https://wiki.example.com/cb", "--redirect-uri",
        "https://wiki.example.com/cb2", "--post-logout-redirect-uri", "https://wiki.example.com/bye", "--lease", "2m",
        "--grace", "30", "--local-session-max", "8h", "--allow-private", "--public", "--no-refresh-tokens",
    )  # fmt: skip
    client = added["client"]
    assert client["redirect_uris"] == ["https://wiki.example.com/cb", "https://wiki.example.com/cb2"]
    assert (client["lease_s"], client["grace_s"], client["local_session_max_s"]) == (120, 30, 28_800)
    assert (client["id_token_alg"], client["allow_private"], client["public"]) == ("RS256", True, True)
    assert client["refresh_tokens"] is False
    assert (added["client_secret"], client["secrets"], client["promise"]) == (None, [], "not_told")
    assert "not told" in sso.run("client", "show", "wiki").stdout


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["shop"], 2, "--site BASE_URL"),
        (["shop", "--site", "http://127.0.0.1:1", "--redirect-uri", "http://127.0.0.1:1/cb"], 2, "leave out"),
        (["shop", "--site", "http://shop.example.com"], 1, "must be https"),
        (["shop", "--site", "https://shop.example.com/?x=1"], 1, "may not have a query"),
        (["shop", "--redirect-uri", "https://shop.example.com/#x"], 1, "fragment"),
        (["sh op", "--site", "http://127.0.0.1:5000"], 1, "client id"),
        (["shop", "--site", "http://127.0.0.1:5000", "--lease", "soon"], 2, "not a duration"),
        (["shop", "--site", "http://127.0.0.1:5000", "--lease", "1"], 1, "lease is 5 to 3600"),
    ],
)
def test_what_cannot_be_registered_is_refused_with_the_reason(sso: Sso, args: list[str], code: int, words: str) -> None:
    result = sso.run("client", "add", *args, code=code)
    assert words in result.stderr
    assert sso.json("client", "list") == []


def test_a_taken_name_is_refused(sso: Sso) -> None:
    sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000")
    assert "already" in sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5001", code=1).stderr


def test_an_update_changes_what_was_named_and_nothing_else(sso: Sso) -> None:
    before = sso.json("client", "add", "shop", "--site", "http://127.0.0.1:5000")["client"]
    after = sso.json("client", "update", "shop", "--lease", "30", "--backchannel-logout-uri", "")["client"]
    assert after == {**before, "lease_s": 30, "backchannel_logout_uri": "", "promise": "not_told"}
    assert "lease_s: 30 -> 90" in sso.run("client", "update", "shop", "--lease", "90").stdout
    assert "Nothing to change" in sso.run("client", "update", "shop", code=2).stderr


def test_a_rotated_secret_overlaps_for_as_long_as_asked(sso: Sso) -> None:
    first = sso.json("client", "add", "shop", "--site", "http://127.0.0.1:5000")["client_secret"]
    second = sso.json("client", "rotate-secret", "shop", "--overlap", "24h")["client_secret"]
    assert accepts(sso, "shop", first)
    assert accepts(sso, "shop", second)
    third = sso.json("client", "rotate-secret", "shop")["client_secret"]
    assert [accepts(sso, "shop", secret) for secret in (first, second, third)] == [False, False, True]


def test_removing_a_site_ends_the_sessions_that_opened_it_and_no_others(sso: Sso, sign_in) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    for name, port in (("shop", 5000), ("wiki", 5001)):
        sso.run("client", "add", name, "--site", f"http://127.0.0.1:{port}")
    gone, stays = sign_in("alice", "shop"), sign_in("alice", "wiki")
    assert sso.json("client", "remove", "shop") == {"client_id": "shop", "removed": True, "sessions_ended": 1}
    assert [session["sid"] for session in sso.json("session", "list")] == [stays.sid]
    assert sso.json("session", "show", gone.sid)["end_reason"] == "client_removed"
    assert "no client 'shop'" in sso.run("client", "remove", "shop", code=1).stderr


def test_a_site_with_the_sdk_is_bounded_once_its_store_has_checked_in(sso: Sso) -> None:
    from sso_server.core.check_in import CheckIn

    sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000")
    built = sso.built()
    client = built.services.clients.find("shop")
    assert client is not None
    built.services.check_ins.check_in(client, CheckIn(STORE, None, (), (), (), None))
    built.close()
    shown = sso.json("client", "show", "shop")
    assert shown["promise"] == "bounded"
    assert [store["store_id"] for store in shown["stores"]] == [STORE]
    assert "bounded: serves nobody more than 60 s" in sso.run("client", "show", "shop").stdout


def test_an_update_at_the_same_moment_does_not_bring_an_old_secret_back(
    sso: Sso, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaked = sso.json("client", "add", "shop", "--site", "http://127.0.0.1:5000")["client_secret"]
    read, rotated = Centre.get_client, []

    def read_and_dawdle(centre: Centre, client_id: str) -> Client:
        found = read(centre, client_id)
        if not rotated:
            rotated.append("")
            rotated[0] = sso.json("client", "rotate-secret", "shop")["client_secret"]
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Centre, "get_client", read_and_dawdle)
        refused = sso.run("client", "update", "shop", "--name", "The shop", code=1)
    assert "shop was changed at the same time: nothing was written. Try again." in refused.stderr
    assert not accepts(sso, "shop", leaked)
    assert accepts(sso, "shop", rotated[0])
    sso.run("client", "update", "shop", "--name", "The shop")
    assert accepts(sso, "shop", rotated[0])


FILE = """
[[client]]
client_id = "shop"
site = "http://127.0.0.1:5000"
lease = 30

[[client]]
client_id = "wiki"
name = "Wiki"
redirect_uris = ["https://wiki.example.com/cb"]
public = true
"""


def test_a_file_is_applied_once_and_then_nothing_is_left_to_do(sso: Sso, tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(FILE)
    dry = sso.json("client", "apply", str(file), "--dry-run")
    assert [(c["client_id"], c["action"]) for c in dry["clients"]] == [("shop", "add"), ("wiki", "add")]
    assert sso.json("client", "list") == []
    done = sso.json("client", "apply", str(file))["clients"]
    assert accepts(sso, "shop", done[0]["environment"]["SSO_CLIENT_SECRET"])
    assert [c["action"] for c in sso.json("client", "apply", str(file))["clients"]] == ["same", "same"]
    file.write_text(FILE.replace("lease = 30", "grace = 10"))
    (changed, _) = sso.json("client", "apply", str(file))["clients"]
    assert changed["changes"] == {"lease_s": [30, 60], "grace_s": [0, 10]}
    assert accepts(sso, "shop", done[0]["environment"]["SSO_CLIENT_SECRET"]), "a change must not cost the secret"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[client]]\nclient_id = 'a'\nsight = 'x'", "there is no key 'sight'; did you mean 'site'?"),
        ("[[client]]\nclient_id = 'a'\nlease = '30'", "lease must be a whole number"),
        ("[[client]]\nsite = 'http://127.0.0.1:1'", "client_id is missing"),
        ("client = 3", "list of clients"),
        ("[[client", "not valid TOML"),
    ],
)
def test_a_wrong_file_changes_nothing_and_says_what_is_wrong(sso: Sso, tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(text)
    assert words in sso.run("client", "apply", str(file), code=1).stderr


def test_one_wrong_client_keeps_the_whole_file_from_being_applied(sso: Sso, tmp_path: Path) -> None:
    file = tmp_path / "clients.json"
    good = {"client_id": "shop", "site": "http://127.0.0.1:5000"}
    file.write_text(json.dumps({"client": [good, {"client_id": "wiki", "redirect_uris": ["http://wiki.example.com"]}]}))
    assert "must be https" in sso.run("client", "apply", str(file), code=1).stderr
    assert sso.json("client", "list") == []
