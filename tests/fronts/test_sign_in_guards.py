"""What a sign-in must not let slip: who exists, a password changed meanwhile, and what a session's sites can report."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sso_server.core.errors import WrongCredentials
from sso_server.core.sessions import EndReason
from sso_server.core.sign_in import Visitor
from sso_server.crypto.passwords import Argon2Hasher
from sso_server.delivery.wake import WakeListener
from tests.support.oidc_site import PASSWORD, OidcSite, built_of, sign_in


def visitor(app: Flask, address: str = "192.0.2.7") -> Visitor:
    return Visitor(built_of(app).services.sign_in.new_browser_id(), address, "Firefox")


@pytest.mark.parametrize("username", ["alice", "bob-the-disabled", "nobody-of-that-name"])
def test_every_refusal_costs_one_check_of_a_hash(app: Flask, username: str, monkeypatch: pytest.MonkeyPatch) -> None:
    services = built_of(app).services
    services.accounts.add("bob-the-disabled", PASSWORD, actor="test")
    services.accounts.disable("bob-the-disabled", actor="test")
    checked: list[bool] = []
    verify = Argon2Hasher.verify

    def counting(self: Argon2Hasher, password_hash: str | None, password: str) -> bool:
        checked.append(True)
        return verify(self, password_hash, password)

    monkeypatch.setattr(Argon2Hasher, "verify", counting)
    with pytest.raises(WrongCredentials) as refused:
        services.sign_in.authenticate(username, "not the password", visitor(app))
    assert len(checked) == 1
    assert refused.value.description == "The user name or the password is wrong."


def test_a_password_changed_between_the_check_and_the_opening_lets_nobody_in(app: Flask) -> None:
    services = built_of(app).services
    someone = visitor(app)
    user = services.sign_in.authenticate("alice", PASSWORD, someone)
    services.accounts.set_password("alice", "another good password", actor="test")
    with pytest.raises(WrongCredentials):
        services.sign_in.open(user, someone, remember=False)
    now = services.clock.now()
    assert services.lists.list_live(now, 10, user_id=user.user_id) == []


def test_an_account_disabled_between_the_check_and_the_opening_lets_nobody_in(app: Flask) -> None:
    services = built_of(app).services
    someone = visitor(app)
    user = services.sign_in.authenticate("alice", PASSWORD, someone)
    services.accounts.disable("alice", actor="test")
    with pytest.raises(WrongCredentials):
        services.sign_in.open(user, someone, remember=False)
    assert services.lists.count_live(services.clock.now()) == 0


@pytest.mark.parametrize(("store", "idle_off"), [(None, True), ("st-" + "a" * 32, False)])
def test_a_site_that_cannot_report_activity_turns_idleness_off(
    app: Flask, browser: FlaskClient, shop: OidcSite, store: str | None, idle_off: bool
) -> None:
    extra: dict[str, Any] = {"store_id": store} if store else {}
    sid = shop.claims(shop.tokens(browser, **extra)["id_token"])["sid"]
    session = built_of(app).session_stores.sessions.find(str(sid))
    assert session is not None
    assert session.idle_off is idle_off


def test_an_end_rings_the_delivery_worker(app: Flask, browser: FlaskClient) -> None:
    built = built_of(app)
    sign_in(browser)
    (session,) = built.services.lists.list_live(built.services.clock.now(), 10)
    listener = WakeListener(built.wake_path, "test")
    try:
        assert listener.wait(0.0) is False
        built.services.sign_out.end(session.sid, EndReason.ADMINISTRATOR, actor="test")
        assert listener.wait(5.0) is True
        built.services.sign_out.end(session.sid, EndReason.ADMINISTRATOR, actor="test")
        assert listener.wait(0.0) is False, "only the call that ended it rings"
    finally:
        listener.close()
