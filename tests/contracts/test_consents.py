"""What people have agreed to, and values that are made once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from sso_server.core.clients import Client
from sso_server.core.consents import Consent
from sso_server.core.events import Event, EventKind
from sso_server.core.users import EndOrder
from tests.support.builders import NOW

GIVEN = Consent("usr-alice", "game", ("openid", "profile"), ("phone_number",), NOW, NOW)
ORDER = EndOrder("order-1", "app_removed", NOW, user_id="usr-alice", client_id="game")


def test_a_consent_is_remembered_for_one_person_and_one_client(sql_stores):
    sql_stores.consents.put(GIVEN)
    assert sql_stores.consents.find("usr-alice", "game") == GIVEN
    assert sql_stores.consents.find("usr-bob", "game") is None
    assert sql_stores.consents.find("usr-alice", "other") is None


def test_a_new_one_takes_the_place_of_the_old_and_remembers_since_when(sql_stores):
    sql_stores.consents.put(GIVEN)
    wider = replace(GIVEN, scope=("openid", "profile", "email"), claims=(), granted_at=NOW + 9, last_used_at=NOW + 9)
    sql_stores.consents.put(wider)
    assert sql_stores.consents.find("usr-alice", "game") == replace(wider, granted_at=NOW)


def test_a_consent_and_its_line_of_the_audit_are_written_both_or_neither(sql_stores):
    line = Event(NOW, EventKind.CONSENT_GIVEN, user_id="usr-alice", client_id="game", actor="user")
    with pytest.raises(TypeError):
        sql_stores.consents.put(GIVEN, replace(line, data={"scope": object()}))
    assert sql_stores.consents.find("usr-alice", "game") is None
    sql_stores.consents.put(GIVEN, line)
    assert sql_stores.consents.find("usr-alice", "game") == GIVEN
    assert sql_stores.audit.list_events(5) == [line]


def test_a_use_is_noted_and_never_goes_back(sql_stores):
    sql_stores.consents.put(GIVEN)
    for now in (NOW + 5, NOW + 3):
        sql_stores.consents.note_use("usr-alice", "game", now)
    sql_stores.consents.note_use("usr-bob", "game", NOW + 9)
    assert sql_stores.consents.find("usr-alice", "game").last_used_at == NOW + 5
    assert sql_stores.consents.find("usr-bob", "game") is None


def test_a_persons_consents_are_listed_by_client(sql_stores):
    for consent in (GIVEN, replace(GIVEN, client_id="chess"), replace(GIVEN, user_id="usr-bob")):
        sql_stores.consents.put(consent)
    assert [consent.client_id for consent in sql_stores.consents.list_of("usr-alice")] == ["chess", "game"]


def test_one_that_is_removed_is_gone_and_its_order_and_its_line_in_the_audit_are_there_in_the_same_step(sql_stores):
    sql_stores.consents.put(GIVEN)
    line = Event(NOW, EventKind.CONSENT_REMOVED, user_id="usr-alice", client_id="game", actor="user")
    assert sql_stores.consents.remove("usr-alice", "game", ORDER, line)
    assert sql_stores.consents.find("usr-alice", "game") is None
    assert sql_stores.end_orders.list_unfinished() == [ORDER]
    assert sql_stores.audit.list_events(5) == [line]


def test_the_order_is_written_also_if_there_was_no_consent(sql_stores):
    assert not sql_stores.consents.remove("usr-alice", "game", ORDER)
    assert sql_stores.end_orders.list_unfinished() == [ORDER]


def test_consents_go_with_their_client(sql_stores):
    game = Client("game", "Game", NOW, redirect_uris=("https://game.example/cb",))
    sql_stores.clients.add(game)
    sql_stores.consents.put(GIVEN)
    sql_stores.clients.remove("game")
    assert sql_stores.consents.find("usr-alice", "game") is None, "or whoever is registered next would have it"


def test_a_lasting_value_is_made_once(sql_stores):
    with ThreadPoolExecutor(8) as pool:
        kept = set(pool.map(lambda n: sql_stores.lasting.get_or_put("salt", f"value-{n}"), range(16)))
    assert len(kept) == 1
    assert {sql_stores.lasting.get_or_put("salt", "later")} == kept
    assert sql_stores.lasting.get_or_put("other", "mine") == "mine"
