"""`sso signout show`: the receipt of a sign-out, as long as the audit keeps it."""

import contextlib
from typing import Any

import pytest

from sso_server.core.policy import DAY
from sso_server.core.tickets import s256
from tests.cli.conftest import PASSWORD, STORE, SignedIn, Sso
from tests.support.builders import a_report


@pytest.fixture
def ended(sso: Sso, sign_in: Any) -> SignedIn:
    """Alice was signed in at the shop, which has acknowledged, and at the wiki, which nobody can tell."""
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000")
    sso.run("client", "add", "wiki", "--redirect-uri", "http://127.0.0.1:5001/cb")
    signed_in: SignedIn = sign_in("alice", "shop", STORE)
    with contextlib.closing(sso.built()) as built:
        services = built.services
        session, wiki = built.session_stores.sessions.find(signed_in.sid), services.clients.find("wiki")
        assert session is not None
        assert wiki is not None
        address = wiki.redirect_uris[0]
        ticket = services.tickets.issue(
            session, wiki, redirect_uri=address, code_challenge=s256("v" * 43), nonce="", scope=("openid",)
        )
        services.tickets.redeem(ticket, wiki, redirect_uri=address, code_verifier="v" * 43, store_id="")
        sso.run("session", "end", signed_in.sid)
        report = a_report(STORE, acks=(signed_in.sid,))
        built.session_stores.check_ins.check_in(report, services.clock.now(), 10)
        built.worker().archive_final()
    return signed_in


def test_a_receipt_says_who_was_signed_in_where_until_when_and_how_it_ended(sso: Sso, ended: SignedIn) -> None:
    shown = sso.json("signout", "show", ended.sid)
    assert (shown["username"], shown["address"], shown["user_agent"]) == ("alice", "192.0.2.7", "Firefox")
    assert (shown["reason"], shown["actor"], shown["in_ledger"]) == ("administrator", "cli", True)
    assert shown["opened_at"] <= shown["ended_at"]
    shop, wiki = shown["sites"]
    assert (shop["client_id"], shop["store_id"], shop["state"], shop["told_by"]) == (
        "shop",
        STORE,
        "acknowledged",
        "check_in",
    )
    assert (wiki["client_id"], wiki["state"], wiki["bound"]) == ("wiki", "no_address", "local_session")
    assert shop["registered_at"] <= wiki["registered_at"] <= shown["ended_at"] <= shop["signed_in_until"]
    text = sso.run("signout", "show", ended.sid).stdout
    for words in ("192.0.2.7, Firefox", "(administrator) by cli", "at its check-in", "not told: no address"):
        assert words in text, text
    assert "no bound known" in text
    happened = text[text.index("WHAT HAPPENED") :]
    order = [happened.index(words) for words in ("signed in", "was signed in there", "ended the session", "signed out")]
    assert order == sorted(order)


def test_it_is_the_same_when_the_store_has_forgotten_the_session(sso: Sso, ended: SignedIn) -> None:
    before = sso.json("signout", "show", ended.sid)
    with contextlib.closing(sso.built()) as built:
        assert built.session_stores.sweeps.purge(built.services.clock.now() + 2 * DAY, 100) > 0
    after = sso.json("signout", "show", ended.sid)
    assert after == before | {"in_ledger": False, "notifications": []}
    assert "known from  the audit\n" in sso.run("signout", "show", ended.sid).stdout
    assert "There is no session" in sso.run("session", "show", ended.sid, code=1).stderr


def test_who_had_a_site_told_again_or_gave_it_up_is_in_it(sso: Sso, sign_in: Any) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000")
    sid = sign_in("alice", "shop").sid
    sso.run("session", "end", sid)
    sso.run("signout", "abandon", sid, "shop")
    with contextlib.closing(sso.built()) as built:
        built.worker().archive_final()
    sso.run("signout", "retry", sid, "shop")
    shown = sso.json("signout", "show", sid)
    assert [(act["client_id"], act["given_up"], act["actor"]) for act in shown["by_hand"]] == [
        ("shop", True, "cli"),
        ("shop", False, "cli"),
    ]
    (shop,) = shown["sites"]
    assert (shop["state"], shop["final_at"]) == ("pending", None)
    assert [(word["state"], word["last_error"]) for word in shop["before"]] == [("abandoned", "by:cli")]
    text = sso.run("signout", "show", sid).stdout
    assert "gave up shop" in text
    assert "had told again: shop" in text


def test_what_has_no_receipt_is_said(sso: Sso, sign_in: Any) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000")
    live = sign_in("alice", "shop").sid
    assert f"has not ended: see sso session show {live}" in sso.run("signout", "show", live, code=1).stderr
    unknown = sso.run("signout", "show", "sid-01-" + "a" * 32, code=1).stderr
    assert "There was no session" in unknown
    assert "400 days" in unknown
