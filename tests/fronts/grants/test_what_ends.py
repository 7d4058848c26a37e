"""docs/tokens.md says what ends when: every line of its table is tried, for every kind of token, on both stores."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient

from sso_server.core.consents import wish_of
from sso_server.core.sessions import EndReason
from tests.fronts.conftest import Later
from tests.fronts.grants.conftest import denied, described, end, exchange
from tests.fronts.grants.device import approve, begin, poll
from tests.house.sources import ROOT
from tests.support.oidc_site import OidcSite, built_of, change_client, sign_in

PAGE = (ROOT / "docs/tokens.md").read_text(encoding="utf-8")


def table() -> dict[str, dict[str, str]]:
    """Event -> what it does to each kind."""
    _, _, rest = PAGE.partition("| event |")
    lines = ("| event |" + rest.partition("\n\n")[0]).splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


TABLE = table()


@dataclass
class Held:
    """All that there is of one session, and of what came out of it."""

    shop: OidcSite
    wiki: OidcSite
    vault: OidcSite
    lamp: OidcSite
    sid: str
    user_id: str
    code: str
    spent_code: str
    tokens: dict[str, Any]
    offline: str
    device: str
    exchanged: str
    exchanged_offline: str
    own: str
    later: Later


@pytest.fixture
def held(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, vault: OidcSite, lamp: OidcSite, kind: str, later: Later
) -> Held:
    sign_in(browser)
    here = built_of(shop.app).services
    (session,) = here.lists.list_live(here.clock.now(), 5)
    client = change_client(shop, metadata={"third_party": True})
    here.consents.give(session.user_id, client, wish_of(client, (*client.scopes,), ()))
    exchanged_offline = _exchanged_offline(shop, wiki)
    spent = shop.code(browser)
    tokens = shop.redeem(spent).get_json()
    told = begin(lamp)
    approve(browser, told["user_code"])
    return Held(
        shop,
        wiki,
        vault,
        lamp,
        session.sid,
        session.user_id,
        code=shop.code(browser),
        spent_code=spent,
        tokens=tokens,
        offline=shop.tokens(browser, scope="openid offline_access")["refresh_token"],
        device=poll(lamp, told["device_code"]).get_json()["access_token"],
        exchanged=exchange(wiki, tokens["access_token"]).get_json()["access_token"],
        exchanged_offline=exchanged_offline,
        own=shop.post("/token", grant_type="client_credentials").get_json()["access_token"],
        later=later,
    )


def _exchanged_offline(shop: OidcSite, wiki: OidcSite) -> str:
    """Of another session of the same person's, which is over by now."""
    elsewhere = shop.app.test_client()
    sign_in(elsewhere)
    refresh_token = shop.tokens(elsewhere, scope="openid offline_access")["refresh_token"]
    end(shop, described(shop, refresh_token)["sid"])
    token: str = exchange(wiki, shop.refresh(refresh_token).get_json()["access_token"]).get_json()["access_token"]
    return token


def _run_orders(held: Held) -> None:
    """As the delivery process does, until nothing is left."""
    built = built_of(held.shop.app)
    while built.services.sign_out.run_pending_orders():
        pass


def _sign_out(held: Held) -> None:
    end(held.shop, held.sid)


def _everywhere(held: Held) -> None:
    accounts = built_of(held.shop.app).services.accounts
    accounts.sign_out_everywhere(held.user_id, keep_sid="", reason=EndReason.SIGN_OUT_EVERYWHERE, actor="test")


def _password(held: Held) -> None:
    built_of(held.shop.app).services.accounts.set_password("alice", "another horse battery staple", actor="test")


def _disable(held: Held) -> None:
    built_of(held.shop.app).services.accounts.disable("alice", actor="test")


def _remove_app(held: Held) -> None:
    assert built_of(held.shop.app).services.consents.remove(held.user_id, "shop", actor="user")


def _remove_client(held: Held) -> None:
    built = built_of(held.shop.app)
    assert built.sql.clients.remove("shop", built.services.sign_out.order_for_removal("shop"))
    assert built.services.clients.find("nobody") is None  # looked for in the store: the directory reads again


def _revoke_refresh(held: Held) -> None:
    assert held.shop.post("/revoke", token=held.tokens["refresh_token"]).status_code == 200


def _revoke_access(held: Held) -> None:
    assert held.shop.post("/revoke", token=held.tokens["access_token"]).status_code == 200


def _show_another_clients(held: Held) -> None:
    answer = held.wiki.refresh(held.tokens["refresh_token"])
    assert (answer.status_code, answer.get_json()["error_description"]) == (400, "ticket_other_client")


def _replay_code(held: Held) -> None:
    assert held.shop.redeem(held.spent_code).status_code == 400


def _reuse(held: Held) -> None:
    assert held.shop.refresh(held.tokens["refresh_token"]).status_code == 200
    with held.later(61):
        assert held.shop.refresh(held.tokens["refresh_token"]).status_code == 400


EVENTS: dict[str, Callable[[Held], None]] = {
    "the session ends: sign-out here or at a site, time, an administrator": _sign_out,
    "sign-out everywhere": _everywhere,
    "the password is changed": _password,
    "the account is disabled": _disable,
    "the person removes the app (the shop)": _remove_app,
    "the client (the shop) is removed": _remove_client,
    "the shop's refresh token is revoked": _revoke_refresh,
    "the shop's access token is revoked": _revoke_access,
    "another client shows the shop's refresh token": _show_another_clients,
    "the shop's code is shown once more": _replay_code,
    "the shop's refresh token comes back after its grace": _reuse,
}
#: Each event, each store, each kind of token at least once; not each with each.
CASES = [
    (event, store, kind)
    for index, event in enumerate(EVENTS)
    for n, (store, kind) in enumerate(itertools.product(("sqlite", "redis"), ("opaque", "jwt")))
    if n in ((1, 2) if index % 2 else (0, 3))
]


def test_every_line_of_the_page_is_tried() -> None:
    assert list(TABLE) == list(EVENTS)


@pytest.mark.covers("line-46", "line-48")
@pytest.mark.parametrize(("event", "app", "kind"), CASES, indirect=["app", "kind"])
def test_what_the_page_says_ends_and_nothing_else(held: Held, event: str, kind: str) -> None:
    before = _standing(held, told_apart=False)
    assert set(before.values()) == {"lives"}, "or nothing is shown"
    assert set(_heard(held).values()) == {"lives"}
    EVENTS[event](held)
    _run_orders(held)
    if kind == "jwt":
        # Before anything is asked here.
        heard = _heard(held)
        assert heard == {name: TABLE[event][name] for name in heard}
    assert _standing(held) == TABLE[event]


def _heard(held: Held) -> dict[str, str]:
    """What an API takes for good that asks nobody and hears the feed."""
    tokens = {
        "access": (held.wiki, held.tokens["access_token"]),
        "own": (held.wiki, held.own),
        "exchanged": (held.vault, held.exchanged),
        "exchanged offline": (held.vault, held.exchanged_offline),
    }
    return {name: "ends" if _names(token) & denied(api) else "lives" for name, (api, token) in tokens.items()}


def _names(token: str) -> set[str]:
    if token.count(".") != 2:
        return set()
    claims = jwt.decode(token, options={"verify_signature": False})
    return {claims["jti"], claims.get("sid", "")}


def _standing(held: Held, *, told_apart: bool = True) -> dict[str, str]:
    """What still opens something. With `told_apart` the tokens that work once are used; else they are looked at."""
    shop, tokens = held.shop, held.tokens
    look = built_of(shop.app).services.tokens.find
    active = {
        "access": described(held.wiki, tokens["access_token"])["active"],
        "device": held.lamp.userinfo(held.device).status_code == 200,
        "exchanged": described(held.vault, held.exchanged)["active"],
        "exchanged offline": described(held.vault, held.exchanged_offline)["active"],
        "own": described(held.wiki, held.own)["active"],
    }
    if told_apart:
        active["offline"] = shop.refresh(held.offline).status_code == 200
        active["refresh"] = shop.refresh(tokens["refresh_token"]).status_code == 200
        active["code"] = shop.redeem(held.code).status_code == 200
    else:
        active |= {"offline": look(held.offline) is not None, "refresh": look(tokens["refresh_token"]) is not None}
        active["code"] = True
    return {name: "lives" if active[name] else "ends" for name in next(iter(TABLE.values()))}
