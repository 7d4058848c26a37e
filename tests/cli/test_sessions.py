"""`sso session` and `sso signout`: the map, and ending."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from sso_server.cli.session_view import told_words
from sso_server.core.reports import Standing
from tests.cli.conftest import PASSWORD, STORE, Sso
from tests.support.services import running_redis

SHOP = "http://127.0.0.1:5000/sso/backchannel-logout"


@pytest.fixture
def shop(sso: Sso, sign_in):
    """Alice is signed in at the shop, which has the SDK."""
    for name in ("alice", "bob"):
        sso.run("user", "add", name, "--password-stdin", stdin=PASSWORD)
    sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000")
    sso.run("client", "add", "wiki", "--redirect-uri", "http://127.0.0.1:5001/cb")
    return sign_in("alice", "shop", STORE)


def test_the_map_names_each_site_its_address_and_how_long_its_session_may_live(sso: Sso, shop) -> None:
    shown = sso.json("session", "show", shop.sid)
    assert (shown["username"], shown["state"], shown["amr"], shown["ended_at"]) == ("alice", "live", ["pwd"], None)
    (site,) = shown["sites"]
    assert (site["client_id"], site["store_id"], site["logout_uri"], site["state"]) == ("shop", STORE, SHOP, None)
    assert site["local_until"] > shown["created_at"]
    text = sso.run("session", "show", shop.sid).stdout
    assert SHOP in text
    assert "when the session ends" in text


@pytest.mark.parametrize("by", ["ticket", "access_token", "refresh_token"])
def test_a_session_is_found_by_what_a_site_got_from_it(sso: Sso, shop, by: str) -> None:
    option = "--ticket" if by == "ticket" else "--token"
    assert sso.json("session", "show", option, getattr(shop, by))["sid"] == shop.sid


def test_what_leads_to_no_session_is_refused(sso: Sso, shop) -> None:
    assert "not one of our" in sso.run("session", "show", "--ticket", "hello", code=1).stderr
    assert "No such ticket" in sso.run("session", "show", "--ticket", "code-01-" + "a" * 32, code=1).stderr
    assert (
        "No such token"
        in sso.run(
            "session", "show", "--token", shop.access_token[:-1] + "a7"[shop.access_token[-1] == "a"], code=1
        ).stderr
    )
    assert "There is no session" in sso.run("session", "show", "sid-01-" + "a" * 32, code=1).stderr
    assert "Give one of" in sso.run("session", "show", code=2).stderr
    assert "Give one of" in sso.run("session", "end", shop.sid, "--all", code=2).stderr


def test_ending_a_session_writes_what_each_site_is_told(sso: Sso, shop) -> None:
    assert sso.json("session", "end", shop.sid) == {"sessions_ended": 1}
    assert sso.json("session", "end", shop.sid) == {"sessions_ended": 0}
    shown = sso.json("session", "show", shop.sid)
    assert (shown["state"], shown["end_reason"]) == ("ended", "administrator")
    (site,) = shown["sites"]
    assert (site["state"], site["logout_uri"], site["standing"]) == ("pending", SHOP, "safe")
    told = sso.json("signout", "show", shop.sid)
    assert (told["reason"], told["notifications"]) == ("administrator", shown["sites"])
    assert sso.json("session", "list") == []


def test_lists_can_be_narrowed_to_a_person_or_a_site(sso: Sso, shop, sign_in) -> None:
    other = sign_in("bob", "wiki")
    assert {s["sid"] for s in sso.json("session", "list")} == {shop.sid, other.sid}
    assert [s["sid"] for s in sso.json("session", "list", "--user", "bob")] == [other.sid]
    assert [s["sid"] for s in sso.json("session", "list", "--client", "shop")] == [shop.sid]
    assert "no client 'nope'" in sso.run("session", "list", "--client", "nope", code=1).stderr


@pytest.mark.parametrize("how", [["--user", "alice"], ["--client", "shop"]])
def test_many_sessions_end_at_once_and_the_others_stay(sso: Sso, shop, sign_in, how: list[str]) -> None:
    sign_in("alice", "shop")
    other = sign_in("bob", "wiki")
    assert sso.json("session", "end", *how) == {"sessions_ended": 2}
    assert [s["sid"] for s in sso.json("session", "list")] == [other.sid]


def test_ending_everything_asks_first(sso: Sso, shop, sign_in) -> None:
    sign_in("bob", "wiki")
    refused = sso.run("session", "end", "--all", stdin="n\n", code=1)
    assert "2 sessions" in refused.stderr
    assert len(sso.json("session", "list")) == 2
    unasked = sso.run("session", "end", "--all", stdin="", code=2)
    assert "use --yes" in unasked.stderr
    assert len(sso.json("session", "list")) == 2
    assert sso.json("session", "end", "--all", "--yes") == {"sessions_ended": 2}
    assert sso.json("session", "list") == []


@pytest.mark.redis
@pytest.mark.parametrize("how", [("--all", "--yes"), ("--client", "shop"), ("--user", "alice")], ids=" ".join)
def test_an_order_that_can_not_be_carried_out_now_is_not_taken_for_undone(
    sso: Sso, sign_in, tmp_path: Path, how: tuple[str, ...]
) -> None:
    with running_redis(tmp_path, "--appendonly", "yes") as url, redis.Redis.from_url(url) as meddler:
        sso.env["SSO_REDIS_URL"] = url
        sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
        sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000")
        sid = sign_in("alice", "shop").sid
        # It can be read and not written, so that the sessions are counted and the order is written before it fails.
        meddler.config_set("min-replicas-to-write", "1")
        failed = sso.run("session", "end", *how, code=1)
        assert failed.stderr.startswith("Error: The change is written, but not all that follows it is done: ")
        assert "as soon as a delivery process reaches the stores" in failed.stderr
        assert sso.json("session", "show", sid)["state"] == "live"
        meddler.config_set("min-replicas-to-write", "0")
        with closing(sso.built()) as built:
            built.services.sign_out.run_pending_orders()
        assert sso.json("session", "show", sid)["end_reason"] == "administrator"


def test_a_sign_out_is_listed_until_every_site_has_been_told(sso: Sso, shop, sign_in) -> None:
    unheard = sign_in("bob", "wiki")
    for sid in (shop.sid, unheard.sid):
        sso.run("session", "end", sid)
    assert {s["sid"] for s in sso.json("signout", "list")} == {shop.sid, unheard.sid}
    assert [s["sid"] for s in sso.json("signout", "list", "--unfinished")] == [shop.sid]
    assert [s["reason"] for s in sso.json("signout", "list", "--user", "bob")] == ["administrator"]
    lines = sso.run("signout", "list").stdout
    assert "0 of 1 signed out, 1 not told" in lines


def test_a_site_is_given_up_and_tried_again_by_hand(sso: Sso, shop) -> None:
    assert "has not ended" in sso.run("signout", "show", shop.sid, code=1).stderr
    sso.run("session", "end", shop.sid)
    assert sso.json("signout", "abandon", shop.sid, "shop")["abandoned"] == 1
    (row,) = sso.json("signout", "show", shop.sid)["notifications"]
    assert (row["state"], row["last_error"]) == ("abandoned", "by:cli")
    built = sso.built()
    (line,) = built.services.reports.lines(shop.sid)
    built.close()
    leased = replace(line, standing=Standing.TRYING, safe_at=9_000)
    assert told_words(leased, 0) == "not told, abandoned (by:cli), safe in 9 s", "nobody is still trying"
    assert "There is nothing of 'shpo' in this" in sso.run("signout", "retry", shop.sid, "shpo", code=1).stderr
    assert "Nothing is being tried" in sso.run("signout", "abandon", shop.sid, "shop", code=1).stderr
    assert sso.json("signout", "retry", shop.sid, "shop")["retried"] == 1
    (row,) = sso.json("signout", "show", shop.sid)["notifications"]
    assert row["state"] == "pending"
    assert sso.json("signout", "retry", shop.sid)["retried"] == 1
