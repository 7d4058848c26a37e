"""A mark proves that the centre's store went back in time, and nothing else does: a false alarm signs everybody out."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sso_server.core.sessions import EndReason
from sso_server.crypto.seals import ItsdangerousSeals
from tests.fronts.conftest import SECRETS, Later
from tests.support.oidc_site import OidcSite, built_of

STORE, OTHER = "st-" + "a" * 32, "st-" + "b" * 32
Payload = dict[str, Any]


def sid_at(site: OidcSite, browser: FlaskClient) -> str:
    return str(site.claims(site.tokens(browser, store_id=STORE)["id_token"])["sid"])


def is_live(app: Flask, sid: str) -> bool:
    session = built_of(app).session_stores.sessions.find(sid)
    return session is not None and session.ended_at is None


def payload_of(app: Flask, mark: str) -> Payload:
    opened = built_of(app).services.seals.open("mark", mark)
    assert opened is not None
    return opened


def sealed(app: Flask, payload: Payload, purpose: str = "mark") -> str:
    return built_of(app).services.seals.seal(purpose, payload)


DAY = 86_400_000
ODD: dict[str, Callable[[Flask, Payload], str]] = {
    "forged": lambda app, p: sealed(app, p)[:-3] + "abc",
    "nonsense": lambda app, p: "mark",
    "of another key": lambda app, p: ItsdangerousSeals(["z" * 40], built_of(app).services.clock).seal("mark", p),
    "of another purpose": lambda app, p: sealed(app, {**p, "t": p["t"] + DAY}, "request"),
    "of another store": lambda app, p: sealed(app, {**p, "s": OTHER, "t": p["t"] + DAY}),
    "of another client": lambda app, p: sealed(app, {**p, "c": "wiki", "t": p["t"] + DAY}),
    "of another installation": lambda app, p: sealed(app, {**p, "i": "res-other", "t": p["t"] + DAY}),
    "as an older version made them": lambda app, p: sealed(app, {"c": "shop", "s": STORE, "t": p["t"] + DAY}),
    "with a number that is none": lambda app, p: sealed(app, {**p, "t": True}),
    "without a journal": lambda app, p: sealed(app, {**p, "t": p["t"] + DAY, "j": None}),
    "from before the client was registered": lambda app, p: sealed(app, {**p, "t": 1}),
    "older than stores are kept": lambda app, p: sealed(app, {**p, "t": p["t"] - 391 * DAY}),
    "of a site's store that went back itself": lambda app, p: sealed(app, {**p, "t": p["t"] - DAY}),
    "the right one": sealed,
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_mark_alarms_nobody(browser: FlaskClient, shop: OidcSite, odd: str) -> None:
    sid = sid_at(shop, browser)
    first = shop.check_in(STORE).get_json()
    mark = ODD[odd](shop.app, payload_of(shop.app, first["mark"]))
    answer = shop.check_in(STORE, mark=mark)
    assert (answer.status_code, answer.get_json()["epoch"]) == (200, first["epoch"])
    assert is_live(shop.app, sid)


def test_a_mark_that_is_newer_than_what_the_store_knows_is_the_proof(browser: FlaskClient, shop: OidcSite) -> None:
    sid_at(shop, browser)
    payload = payload_of(shop.app, shop.check_in(STORE).get_json()["mark"])
    assert shop.check_in(STORE, mark=sealed(shop.app, {**payload, "t": payload["t"] + 60_000})).status_code == 503


def test_a_strange_mark_is_logged_and_nothing_of_it(shop: OidcSite, logged: list[dict[str, object]]) -> None:
    assert shop.check_in(STORE, mark="forged").status_code == 200
    (line,) = [line for line in logged if line["event"] == "strange_mark"]
    assert line["store_id"] == STORE
    assert "forged" not in str(line)


def test_the_marks_of_a_replaced_secret_key_are_read_as_long_as_it_is_listed(
    browser: FlaskClient, shop: OidcSite, make_app: Callable[..., Flask]
) -> None:
    sid = sid_at(shop, browser)
    first = shop.check_in(STORE).get_json()
    for keys in ("n" * 40 + "," + "k" * 40, "n" * 40):
        app = make_app(secret_key=keys)
        answer = OidcSite(app, "shop", SECRETS["shop"]).check_in(STORE, mark=first["mark"])
        assert (answer.status_code, answer.get_json()["epoch"]) == (200, first["epoch"])
        assert is_live(app, sid)


def test_calls_that_overtake_each_other_alarm_nobody(shop: OidcSite, later: Later) -> None:
    with later(2):
        ahead = shop.check_in(STORE).get_json()
    # Sent before, answered after: by a node whose clock is behind, say.
    behind = shop.check_in(STORE).get_json()
    for mark in (ahead["mark"], behind["mark"], ahead["mark"]):
        assert shop.check_in(STORE, mark=mark).status_code == 200


def test_a_client_that_was_registered_again_is_not_accused_by_marks_of_its_former_life(
    browser: FlaskClient, shop: OidcSite, later: Later
) -> None:
    sid = sid_at(shop, browser)
    mark = shop.check_in(STORE).get_json()["mark"]
    built = built_of(shop.app)
    with later(5):
        client = built.services.clients.find("shop")
        assert client is not None
        assert built.sql.clients.remove("shop")
        with built.sql.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM site_stores")
        built.sql.clients.add(replace(client, created_at=built.services.clock.now()))
    with later(8):
        assert shop.check_in(STORE, mark=mark).status_code == 200
        assert is_live(shop.app, sid)


def test_an_old_copy_of_the_database_signs_everybody_out(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, later: Later, tmp_path: Path
) -> None:
    sid = sid_at(shop, browser)
    first = shop.check_in(STORE).get_json()
    wikis = wiki.check_in(OTHER).get_json()
    file, copy = tmp_path / "lockstep.sqlite3", tmp_path / "copy.sqlite3"
    _backup(file, copy)
    built = built_of(shop.app)
    with later(10):
        built.services.sign_out.end(sid, EndReason.SIGN_OUT, actor="user")
        mark = shop.check_in(STORE, acks=[sid]).get_json()["mark"]
        wikis_mark = wiki.check_in(OTHER).get_json()["mark"]
    with later(20):
        _backup(copy, file)
        assert is_live(shop.app, sid)
        assert shop.check_in(STORE, mark=mark).status_code == 503
        refused = wiki.check_in(OTHER, mark=wikis["mark"])
        assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
        ready = browser.get("/readyz")
        assert ready.status_code == 200
        assert any("went back in time" in warning for warning in ready.get_json()["warnings"])
        assert built.restorer().run_once()
        assert not is_live(shop.app, sid)
        answer = shop.check_in(STORE, mark=mark).get_json()
        assert [notice["reason"] for notice in answer["ends"]] == ["store_restored"]
        assert answer["epoch"] != first["epoch"]
        # The other sites' witnesses say the same; they were answered together.
        new = sid_at(shop, browser)
        assert wiki.check_in(OTHER, mark=wikis_mark).get_json()["epoch"] == answer["epoch"]
        assert is_live(shop.app, new)
        assert not any("went back" in warning for warning in browser.get("/readyz").get_json()["warnings"])


def test_a_new_database_has_an_epoch_of_its_own(shop: OidcSite, make_app: Callable[..., Flask], tmp_path: Path) -> None:
    first = shop.check_in(STORE).get_json()
    with closing(sqlite3.connect(tmp_path / "lockstep.sqlite3")) as file, file:
        for table in ("restorations", "site_stores", "sessions"):
            file.execute(f"DELETE FROM {table}")
    answer = shop.check_in(STORE, mark=first["mark"])
    assert answer.status_code == 200, "it never was another's"
    assert answer.get_json()["epoch"] != first["epoch"], "so every site shows the sessions it has"


def _backup(source: Path, target: Path) -> None:
    if not target.exists():
        shutil.copy(source, target)
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
