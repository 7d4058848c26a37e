"""Sites that ask for their sign-outs: registered, shown, and seen when they stop asking."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sso_server.core.polls import Poll, PollReport
from tests.cli.conftest import PASSWORD, SignedIn, Sso

CALLBACK = "https://wiki.example.com/cb"


def ask(sso: Sso, client_id: str) -> int:
    """The client polls; when."""
    built = sso.built()
    try:
        client = built.services.clients.find(client_id)
        assert client is not None
        built.services.polls.poll(client, Poll())
        return int(built.services.clock.now())
    finally:
        built.close()


def test_a_site_that_asks_needs_no_address_and_is_told_where_to_ask(sso: Sso) -> None:
    printed = sso.run("client", "add", "wiki", "--redirect-uri", CALLBACK, "--delivery", "poll").stdout
    assert "# It asks for its sign-outs: POST http://127.0.0.1:9000/poll\n" in printed
    shown = sso.json("client", "show", "wiki")
    assert (shown["delivery"], shown["promise"], shown["last_poll_at"]) == ("poll", "told", None)
    text = sso.run("client", "show", "wiki").stdout
    for words in ("told when it asks; no bound known", "asks for its sign-outs (poll)", "last asked", "never"):
        assert words in text
    assert "asks for its sign-outs (poll)" in sso.run("client", "list").stdout


def test_when_it_last_asked_is_shown_of_every_site_that_ever_did(sso: Sso) -> None:
    for client_id, delivery in (("wiki", "poll"), ("shop", "push")):
        sso.run("client", "add", client_id, "--redirect-uri", CALLBACK, "--delivery", delivery)
    assert "last asked" not in sso.run("client", "show", "shop").stdout
    for client_id in ("wiki", "shop"):
        asked_at = ask(sso, client_id)
        shown = sso.json("client", "show", client_id)
        assert abs(shown["last_poll_at"] - asked_at) < 5000
        assert shown["stores"] == []
        text = sso.run("client", "show", client_id).stdout
        assert "last asked" in text
        assert "never" not in text


def test_what_waits_to_be_asked_for_is_due_when_the_site_is_called_again(
    sso: Sso, sign_in: Callable[..., SignedIn]
) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    sso.run("client", "add", "wiki", "--redirect-uri", CALLBACK, "--delivery", "poll")
    session = sign_in("alice", "wiki")
    sso.run("session", "end", session.sid)

    def row() -> tuple[str, bool]:
        (found,) = sso.json("signout", "show", session.sid)["notifications"]
        return found["state"], found["next_attempt_at"] is not None

    assert row() == ("pending", False)
    sso.run("client", "update", "wiki", "--delivery", "push")
    assert row() == ("pending", False), "nobody could be called"
    sso.run("client", "update", "wiki", "--backchannel-logout-uri", "https://wiki.example.com/out")
    assert row() == ("pending", True)


def test_a_site_that_asks_without_being_registered_so_is_told_as_long_as_it_does(sso: Sso) -> None:
    sso.run("client", "add", "wiki", "--redirect-uri", CALLBACK)
    assert "not told: it has no logout address" in sso.run("client", "show", "wiki").stdout
    ask(sso, "wiki")
    assert sso.json("client", "show", "wiki")["promise"] == "told"
    text = sso.run("client", "show", "wiki").stdout
    assert "told when it asks" in text
    assert "--delivery poll" in text
    # Its sessions are over by now, and it has not asked since.
    sso.run("client", "update", "wiki", "--local-session-max", "60")
    asked_at = sso.json("client", "show", "wiki")["last_poll_at"]
    built = sso.built()
    built.session_stores.polls.poll(PollReport("wiki"), asked_at - 61_000, 1)
    built.close()
    assert sso.json("client", "show", "wiki")["promise"] == "not_told"


def test_the_way_can_be_changed_and_the_change_is_said(sso: Sso) -> None:
    sso.run("client", "add", "wiki", "--redirect-uri", CALLBACK)
    assert sso.json("client", "show", "wiki")["delivery"] == "push"
    assert sso.run("client", "update", "wiki", "--delivery", "poll").stdout == "wiki: delivery: push -> poll.\n"
    assert sso.json("client", "update", "wiki", "--name", "Wiki")["client"]["delivery"] == "poll"


@pytest.mark.parametrize("args", [["--public"], ["--delivery", "poll", "--public"]])
def test_a_public_client_cannot_ask(sso: Sso, args: list[str]) -> None:
    sso.run("client", "add", "wiki", "--redirect-uri", CALLBACK, "--delivery", "poll")
    assert "public client can't poll" in sso.run("client", "update", "wiki", *args, code=1).stderr
    assert sso.json("client", "show", "wiki")["public"] is False


def test_there_are_two_ways_only(sso: Sso) -> None:
    assert "push" in sso.run("client", "add", "w", "--redirect-uri", CALLBACK, "--delivery", "fax", code=2).stderr


def test_a_file_says_it_too(sso: Sso, tmp_path: Path) -> None:
    file = tmp_path / "clients.json"
    entry = {"client_id": "wiki", "redirect_uris": [CALLBACK], "delivery": "poll"}
    file.write_text(json.dumps({"client": [entry]}))
    sso.run("client", "apply", str(file))
    assert sso.json("client", "show", "wiki")["delivery"] == "poll"
    file.write_text(json.dumps({"client": [entry | {"delivery": "fax"}]}))
    assert "delivery 'fax' is not one of push, poll" in sso.run("client", "apply", str(file), code=1).stderr
    file.write_text(json.dumps({"client": [entry | {"delivery": 1}]}))
    assert "delivery must be a string" in sso.run("client", "apply", str(file), code=1).stderr


def test_a_row_that_waits_to_be_asked_for_says_so(sso: Sso, sign_in: Callable[..., SignedIn]) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    sso.run("client", "add", "wiki", "--redirect-uri", CALLBACK, "--delivery", "poll")
    sid = sign_in("alice", "wiki").sid
    assert "when it asks, once the session has ended" in sso.run("session", "show", sid).stdout
    sso.run("session", "end", sid)
    assert "waiting to be asked for (poll), no bound known" in sso.run("session", "show", sid).stdout
