"""`sso client apply`: the whole file or nothing, every problem at once, no secret in it."""

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sso_server.core.errors import Unavailable
from sso_server.stores.sql.audit import SqlAudit
from sso_server.stores.sql.clients import SqlClients
from tests.cli.conftest import PASSWORD, SignedIn, Sso
from tests.cli.test_clients import accepts

TWO = """
[[client]]
client_id = "shop"
site = "http://127.0.0.1:5000"

[[client]]
client_id = "wiki"
redirect_uris = ["https://wiki.example.com/cb"]
"""
SECRET = "a-secret-of-the-vault-0123456789abcdef"


@pytest.fixture
def apply(sso: Sso, tmp_path: Path) -> Callable[..., Any]:
    """Applies a text; the answer's clients by id."""
    file = tmp_path / "clients.toml"

    def do(text: str, *options: str) -> Any:
        file.write_text(text)
        return {c["client_id"]: c for c in sso.json("client", "apply", str(file), *options)["clients"]}

    return do


def refused(sso: Sso, tmp_path: Path, text: str, *options: str) -> str:
    file = tmp_path / "clients.toml"
    file.write_text(text)
    return sso.run("client", "apply", str(file), *options, code=1).stderr


def test_every_problem_is_named_at_once_with_its_line(sso: Sso, tmp_path: Path) -> None:
    said = refused(
        sso,
        tmp_path,
        """
# comment
[[client]]
client_id = "shop"
sight = "http://127.0.0.1:5000"
lease = "soon"

[[client]]
redirect_uris = ["https://wiki.example.com/cb"]

[[client]]
client_id = "shop"
redirect_uris = ["https://wiki.example.com/cb"]
""",
    )
    assert "has 4 problems" in said
    assert "Client shop (line 3): there is no key 'sight'" in said
    assert "Client shop (line 3): lease must be a whole number" in said
    assert "Client no. 2 (line 8): client_id is missing" in said
    assert "Client shop (line 11): this client_id is named twice" in said


def test_problems_of_sense_are_named_at_once_as_well(sso: Sso, tmp_path: Path) -> None:
    said = refused(
        sso,
        tmp_path,
        """
[[client]]
client_id = "shop"
redirect_uris = ["http://shop.example.com/cb"]
backchannel_logout_uri = "ftp://shop.example.com"
lease = 1

[[client]]
client_id = "wiki"
site = "https://wiki.example.com"
redirect_uris = ["https://wiki.example.com/cb"]

[[client]]
client_id = "news"
""",
    )
    assert "has 5 problems" in said
    for words in ("must be https", "must begin with https", "lease is 5 to 3600", "leave out", "at least one redirect"):
        assert words in said
    assert sso.json("client", "list") == []


def test_a_key_that_nobody_knows_hides_no_other_problem(sso: Sso, tmp_path: Path) -> None:
    said = refused(
        sso,
        tmp_path,
        """
[[client]]
client_id = "shop"
sitee = "https://shop.example.com"
leese = 60
lease = 1
secret_sha256 = ["short"]

[[client]]
client_id = "wiki"
redirect_uris = ["http://wiki.example.com/cb"]
id_token_alg = "HS256"
""",
    )
    assert "has 6 problems" in said
    for words in ("'sitee'; did you mean 'site'", "'leese'; did", "lease is 5 to", "no. 1 is not 64", "must be https"):
        assert words in said
    assert "HS256" in said
    assert "redirect address" not in said, "what follows from another problem is none"


def test_sites_that_the_file_does_not_name_stay_unless_pruned(
    sso: Sso, apply: Callable[..., Any], sign_in: Callable[..., SignedIn]
) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    sso.run("client", "add", "old", "--site", "http://127.0.0.1:5009")
    signed_in = sign_in("alice", "old")
    assert set(apply(TWO)) == {"shop", "wiki"}
    dry = apply(TWO, "--prune", "--dry-run")
    assert (dry["old"]["action"], dry["old"]["sessions_ended"]) == ("remove", None)
    assert {c["client_id"] for c in sso.json("client", "list")} == {"old", "shop", "wiki"}
    done = apply(TWO, "--prune")
    assert (done["old"]["action"], done["old"]["sessions_ended"]) == ("remove", 1)
    assert {c["client_id"] for c in sso.json("client", "list")} == {"shop", "wiki"}
    assert sso.json("session", "show", signed_in.sid)["end_reason"] == "client_removed"
    assert {entry["action"] for entry in apply(TWO, "--prune").values()} == {"same"}


def test_an_empty_file_never_removes_everything(sso: Sso, apply: Callable[..., Any], tmp_path: Path) -> None:
    apply(TWO)
    assert "every site would be removed" in refused(sso, tmp_path, "client = []", "--prune")
    assert len(sso.json("client", "list")) == 2


def test_an_audience_may_not_name_what_is_pruned(sso: Sso, apply: Callable[..., Any], tmp_path: Path) -> None:
    sso.run("client", "add", "stock", "--site", "http://127.0.0.1:5009")
    text = TWO + 'audience = ["stock"]\n'
    assert "no such client" in refused(sso, tmp_path, text, "--prune")
    assert apply(text)["wiki"]["action"] == "add"


def test_a_secret_in_the_file_is_refused(sso: Sso, tmp_path: Path) -> None:
    said = refused(sso, tmp_path, TWO + f'secret = "{SECRET}"\n')
    assert "secret_files" in said
    assert SECRET not in said


def test_secrets_come_from_files_beside_it_or_as_digests_and_may_overlap(
    sso: Sso, apply: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "wiki.secret").write_text(SECRET + "\n")
    named = TWO + 'secret_files = ["wiki.secret"]\n'
    done = apply(named)
    assert done["wiki"]["environment"] is None, "nothing was made, so there is nothing to be shown"
    assert done["shop"]["environment"]["SSO_CLIENT_SECRET"]
    assert accepts(sso, "wiki", SECRET)
    assert apply(named)["wiki"]["action"] == "same"
    later = SECRET.replace("vault", "later")
    both = named + f'secret_sha256 = ["{hashlib.sha256(later.encode()).hexdigest()}"]\n'
    changed = apply(both)["wiki"]
    assert changed["action"] == "change"
    assert SECRET not in json.dumps(changed)
    assert accepts(sso, "wiki", SECRET)
    assert accepts(sso, "wiki", later)
    assert apply(both)["wiki"]["action"] == "same"
    (tmp_path / "wiki.secret").write_text(later)
    apply(named)
    assert not accepts(sso, "wiki", SECRET)
    assert accepts(sso, "wiki", later)
    # A file that says nothing of secrets leaves them.
    apply(TWO)
    assert accepts(sso, "wiki", later)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('secret_files = ["nobody"]', "cannot read the secret in nobody"),
        ('secret_files = ["short"]', "less than 32 characters"),
        ('secret_sha256 = ["abc"]', "not 64 hexadecimal digits"),
        ("secret_sha256 = []", "it names no secret"),
        ('secret_sha256 = ["abc"]\npublic = true', "a public client has no secret"),
    ],
)
def test_a_secret_that_is_none_is_named(sso: Sso, tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "short").write_text("hunter2")
    assert words in refused(sso, tmp_path, TWO + line + "\n")


def test_a_secret_that_stands_where_its_digest_belongs_is_not_repeated(sso: Sso, tmp_path: Path) -> None:
    said = refused(sso, tmp_path, TWO + f'secret_sha256 = ["{"0" * 64}", "{SECRET}"]\n')
    assert "secret_sha256 no. 2 is not 64 hexadecimal digits" in said
    assert SECRET not in said


def test_somebody_who_writes_at_the_same_time_makes_it_fail_as_a_whole(
    sso: Sso, apply: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(TWO)
    whole = SqlClients.change_all

    def change_all(self: SqlClients, *args: Any) -> bool:
        monkeypatch.setattr(SqlClients, "change_all", whole)
        sso.run("client", "update", "wiki", "--name", "Somebody else's")
        return whole(self, *args)

    monkeypatch.setattr(SqlClients, "change_all", change_all)
    more = (
        TWO.replace("5000", "5001") + 'name = "Ours"\n[[client]]\nclient_id = "new"\nsite = "http://127.0.0.1:5007"\n'
    )
    assert "nothing was written" in refused(sso, tmp_path, more)
    found = {c["client_id"]: c for c in sso.json("client", "list")}
    assert set(found) == {"shop", "wiki"}
    assert found["shop"]["base_url"] == "http://127.0.0.1:5000/"
    assert {entry["action"] for entry in apply(more).values()} == {"add", "change"}


MORE = """
[[client]]
client_id = "wiki"
redirect_uris = ["https://wiki.example.com/cb"]

[[client]]
client_id = "fresh"
site = "http://127.0.0.1:5007"
"""


def test_a_file_whose_removals_can_not_be_carried_out_now_changes_nothing(
    sso: Sso, apply: Callable[..., Any], tmp_path: Path
) -> None:
    apply(TWO)
    away = Sso({**sso.env, "SSO_REDIS_URL": "redis://127.0.0.1:1/0"})
    assert "cannot answer right now" in refused(away, tmp_path, MORE, "--prune")
    assert "cannot answer right now" in away.run("client", "remove", "shop", code=1).stderr
    assert {client["client_id"] for client in sso.json("client", "list")} == {"shop", "wiki"}
    assert {name: entry["action"] for name, entry in apply(MORE, "--prune").items()} == {
        "wiki": "same", "fresh": "add", "shop": "remove",
    }  # fmt: skip


def fail_after_the_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next lines of the audit can't be written."""

    def append(self: SqlAudit, *events: Any) -> None:
        raise Unavailable(detail="the disk is full")

    monkeypatch.setattr(SqlAudit, "append", append)


def test_whatever_fails_after_the_change_a_made_secret_is_shown_and_sessions_of_removed_sites_end(
    sso: Sso, tmp_path: Path, sign_in: Callable[..., SignedIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    for name, port in (("shop", 5000), ("news", 5001)):
        sso.run("client", "add", name, "--site", f"http://127.0.0.1:{port}")
    at_shop, at_news = sign_in("alice", "shop"), sign_in("alice", "news")
    file = tmp_path / "clients.toml"
    file.write_text(MORE + '[[client]]\nclient_id = "news"\nsite = "http://127.0.0.1:5001"\n')
    with monkeypatch.context() as broken:
        fail_after_the_change(broken)
        failed = sso.run("client", "apply", str(file), "--prune", code=1)
        gone = sso.run("client", "remove", "news", code=1)
    for result in (failed, gone):
        assert "The change is written" in result.stderr
        assert "the disk is full" in result.stderr
    secret = failed.stdout.rpartition("SSO_CLIENT_SECRET=")[2].split()[0]
    assert accepts(sso, "fresh", secret)
    assert "# shop: remove\n" in failed.stdout
    assert {client["client_id"] for client in sso.json("client", "list")} == {"fresh", "wiki"}
    with closing(sso.built()) as built:
        built.services.sign_out.run_pending_orders()
    for each in (at_shop, at_news):
        assert sso.json("session", "show", each.sid)["end_reason"] == "client_removed"


def test_what_add_can_say_a_file_can_say(sso: Sso, apply: Callable[..., Any]) -> None:
    apply(
        """
[[client]]
client_id = "all"
name = "All of it"
redirect_uris = ["https://all.example.com/cb"]
post_logout_redirect_uris = ["https://all.example.com/bye"]
backchannel_logout_uri = "https://all.example.com/out"
delivery = "push"
public = false
id_token_alg = "ES256"
refresh_tokens = false
access_token = "jwt"
audience = ["all"]
lease = 30
grace = 5
local_session_max = 600
allow_private = true
"""
    )
    sso.run(
        "client", "add", "same", "--name", "All of it", "--redirect-uri", "https://all.example.com/cb",
        "--post-logout-redirect-uri", "https://all.example.com/bye", "--backchannel-logout-uri",
        "https://all.example.com/out", "--delivery", "push", "--confidential", "--id-token-alg", "ES256",
        "--no-refresh-tokens", "--access-token", "jwt", "--audience", "all", "--lease", "30", "--grace", "5",
        "--local-session-max", "600", "--allow-private",
    )  # fmt: skip
    by_file, by_hand = (sso.json("client", "show", name) for name in ("all", "same"))
    for name in ("client_id", "created_at"):
        by_file.pop(name)
        by_hand.pop(name)
    assert by_file == by_hand


def test_the_secrets_of_a_site_are_listed_with_their_end(sso: Sso, apply: Callable[..., Any]) -> None:
    apply(TWO)
    sso.run("client", "rotate-secret", "shop", "--overlap", "24h")
    newest, older = sso.json("client", "show", "shop")["secrets"]
    assert newest["expires_at"] is None
    assert older["expires_at"] > 1_700_000_000_000
    assert "valid, valid until 20" in sso.run("client", "show", "shop").stdout
    sso.run("client", "rotate-secret", "shop")
    assert [secret["expires_at"] for secret in sso.json("client", "show", "shop")["secrets"]] == [None]
