"""Device authorization (RFC 8628) as the device sees it: its code, how often it may ask, what comes of the answer."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask.testing import FlaskClient

from sso_server.core.devices import LETTERS, Devices
from sso_server.core.sessions import EndReason
from sso_server.fronts.oidc import device_authorization
from tests.fronts.conftest import Later
from tests.fronts.grants.conftest import EVERYWHERE, ON_BOTH_STORES, STOCK, denied, described, end
from tests.fronts.grants.device import GRANT, answer, approve, begin, outcome, poll, type_in
from tests.support.oidc_site import ISSUER, OidcSite, built_of, change_client

DEAD = {"active": False}


@pytest.mark.covers("line-63")
def test_a_device_gets_a_code_for_itself_and_one_for_its_person(lamp: OidcSite) -> None:
    told = [begin(lamp) for _ in range(20)]
    for one in told:
        assert set(one) == {
            "device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval"
        }  # fmt: skip
        assert re.fullmatch(f"[{LETTERS}]{{4}}-[{LETTERS}]{{4}}", one["user_code"])
        assert re.fullmatch(r"dc-[a-z2-7]{32}", one["device_code"])
        assert one["verification_uri"] == f"{ISSUER}/device"
        assert one["verification_uri_complete"] == f"{ISSUER}/device?user_code={one['user_code']}"
        assert (one["expires_in"], one["interval"]) == (600, 5)
    assert len({one["user_code"] for one in told} | {one["device_code"] for one in told}) == 40
    # 20^8 is 34 bits; every letter comes up, and none of those that make words.
    assert len(LETTERS) == 20
    assert set("AEIOU") & set(LETTERS) == set()


def test_the_answer_is_not_cached_and_post_is_the_only_method(lamp: OidcSite) -> None:
    answer_ = lamp.post("/device-authorization")
    assert (answer_.status_code, answer_.mimetype) == (200, "application/json")
    assert answer_.headers["Cache-Control"] == "no-store"
    refused = lamp.app.test_client().get("/device-authorization")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "OPTIONS, POST")


@pytest.mark.covers("line-64")
@EVERYWHERE
def test_the_device_waits_and_gets_its_tokens_after_a_yes(
    browser: FlaskClient, lamp: OidcSite, kind: str, later: Later
) -> None:
    told = begin(lamp, scope="openid profile")
    assert outcome(poll(lamp, told["device_code"])) == "authorization_pending"
    approve(browser, told["user_code"])
    with later(6):
        tokens = poll(lamp, told["device_code"]).get_json()
        assert (tokens["token_type"], tokens["scope"]) == ("Bearer", "openid profile")
        claims = lamp.claims(tokens["id_token"])
        assert "nonce" not in claims
        info = lamp.userinfo(tokens["access_token"]).get_json()
        assert (info["preferred_username"], info["sub"]) == ("alice", claims["sub"])
        assert lamp.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.covers("line-64")
@ON_BOTH_STORES
def test_who_asks_too_fast_is_told_to_slow_down_by_five_seconds_each_time(lamp: OidcSite, later: Later) -> None:
    code = begin(lamp)["device_code"]
    assert outcome(poll(lamp, code)) == "authorization_pending"
    assert outcome(poll(lamp, code)) == "slow_down"  # ten seconds from now on
    with later(7):
        assert outcome(poll(lamp, code)) == "slow_down"  # fifteen
    with later(7 + 15):
        assert outcome(poll(lamp, code)) == "authorization_pending"
    with later(7 + 15 + 12):
        assert outcome(poll(lamp, code)) == "slow_down"
    with later(7 + 15 + 12 + 20):
        assert outcome(poll(lamp, code)) == "authorization_pending"


def test_who_keeps_the_interval_is_never_told_to_slow_down(lamp: OidcSite, later: Later) -> None:
    code = begin(lamp)["device_code"]
    for seconds in range(0, 60, 5):
        # A network that is a little faster than the time before makes nobody hasty.
        with later(seconds - (0.3 if seconds % 10 else 0)):
            assert outcome(poll(lamp, code)) == "authorization_pending", seconds


@pytest.mark.covers("line-64")
@ON_BOTH_STORES
def test_a_no_is_access_denied(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    done = answer(browser, type_in(browser, told["user_code"]), "refuse")
    assert done.headers["Location"] == "/device?done=refused"
    assert outcome(poll(lamp, told["device_code"])) == "access_denied"
    assert outcome(poll(lamp, told["device_code"])) == "access_denied"
    assert type_in(browser, told["user_code"]).status_code == 400, "the answer stands"


@pytest.mark.covers("line-64")
@ON_BOTH_STORES
def test_a_code_expires_after_ten_minutes(browser: FlaskClient, lamp: OidcSite, later: Later) -> None:
    told = begin(lamp)
    with later(601):
        assert outcome(poll(lamp, told["device_code"])) == "expired_token"
        assert type_in(browser, told["user_code"]).status_code == 400


def test_a_device_that_comes_late_still_gets_its_tokens(browser: FlaskClient, lamp: OidcSite, later: Later) -> None:
    told = begin(lamp)
    approve(browser, told["user_code"])
    with later(500):
        assert outcome(poll(lamp, told["device_code"])) == "", "longer than a code of the browser's lives"


@pytest.mark.covers("line-65")
@ON_BOTH_STORES
def test_a_device_code_works_once(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    approve(browser, told["user_code"])
    tokens = poll(lamp, told["device_code"]).get_json()
    assert outcome(poll(lamp, told["device_code"])) == "invalid_grant"
    assert lamp.userinfo(tokens["access_token"]).status_code == 200, "an answer that was asked for twice harms nobody"


@pytest.mark.covers("line-65")
@ON_BOTH_STORES
def test_of_many_that_ask_at_once_one_gets_the_tokens(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    approve(browser, told["user_code"])
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: poll(lamp, told["device_code"]), range(16)))
    (won,) = (one for one in answers if one.status_code == 200)
    assert {outcome(one) for one in answers if one is not won} == {"invalid_grant"}
    assert lamp.userinfo(won.get_json()["access_token"]).status_code == 200


@pytest.mark.covers("line-65")
def test_a_device_code_is_its_clients_alone(browser: FlaskClient, lamp: OidcSite, spa: OidcSite) -> None:
    change_client(spa, metadata={"grant_types": (GRANT,)})
    told = begin(lamp)
    approve(browser, told["user_code"])
    assert outcome(poll(spa, told["device_code"])) == "invalid_grant"
    assert outcome(poll(lamp, told["device_code"])) == "", "and the stranger spoilt nothing"


def test_neither_the_users_code_nor_any_other_is_a_device_code(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    for odd in (told["user_code"], "dc-" + "a" * 32, "x", told["device_code"] + "a"):
        assert outcome(poll(lamp, odd)) == "invalid_grant"
    assert poll(lamp, "").get_json()["error"] == "invalid_request"


def test_only_who_is_registered_for_it_may(shop: OidcSite) -> None:
    for answer_ in (shop.post("/device-authorization", scope="openid"), poll(shop, "dc-" + "a" * 32)):
        assert (answer_.status_code, outcome(answer_)) == (400, "unauthorized_client")


def test_a_confidential_device_must_prove_itself(shop: OidcSite) -> None:
    change_client(shop, metadata={"grant_types": (GRANT,)})
    assert begin(shop)["interval"] == 5
    refused = shop.post("/device-authorization", headers={}, client_id="shop")
    assert (refused.status_code, outcome(refused)) == (401, "invalid_client")


@EVERYWHERE
def test_a_device_takes_part_in_the_session_of_whoever_said_yes(
    browser: FlaskClient, lamp: OidcSite, wiki: OidcSite, kind: str
) -> None:
    change_client(lamp, audience=("wiki",))
    told = begin(lamp, scope="openid groups")
    approve(browser, told["user_code"])
    tokens = poll(lamp, told["device_code"]).get_json()
    sid, here = lamp.claims(tokens["id_token"])["sid"], built_of(lamp.app).services
    assert [one.client_id for one in here.lists.participants(sid)] == ["lamp"]
    assert described(wiki, tokens["access_token"])["sid"] == sid
    end(lamp, sid)
    assert lamp.userinfo(tokens["access_token"]).status_code == 401
    assert described(wiki, tokens["access_token"]) == DEAD
    assert outcome(lamp.refresh(tokens["refresh_token"])) == "invalid_grant"
    assert denied(wiki) == ({sid} if kind == "jwt" else set())


@ON_BOTH_STORES
def test_a_session_that_ended_before_the_device_came_gives_nothing(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    approve(browser, told["user_code"])
    here = built_of(lamp.app).services
    (session,) = here.lists.list_live(here.clock.now(), 5)
    here.sign_out.end(session.sid, EndReason.SIGN_OUT, actor="user")
    assert outcome(poll(lamp, told["device_code"])) == "invalid_grant"


def test_offline_access_lets_a_device_outlive_the_session(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp, scope="openid offline_access")
    approve(browser, told["user_code"])
    tokens = poll(lamp, told["device_code"]).get_json()
    end(lamp, lamp.claims(tokens["id_token"])["sid"])
    assert outcome(lamp.refresh(tokens["refresh_token"])) == ""


def test_somebody_who_only_knows_a_public_id_makes_us_keep_just_so_much(
    lamp: OidcSite, shop: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_client(shop, metadata={"grant_types": (GRANT,)})
    monkeypatch.setattr(device_authorization, "FREE_FOR_STRANGERS", 3)
    answers = [lamp.post("/device-authorization") for _ in range(5)]
    assert {one.status_code for one in answers[:3]} == {200}
    assert (answers[-1].status_code, outcome(answers[-1]), answers[-1].headers["Retry-After"]) == (
        429,
        "slow_down",
        "1",
    )
    assert begin(shop)["interval"] == 5, "who proves itself answers for itself"
    change_client(shop, metadata={"registration_token_hash": "h" * 64})
    assert shop.post("/device-authorization", scope="openid").status_code == 429, "unless nobody here knows who that is"


def test_without_openid_it_gets_no_id_token(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp, scope="profile")
    approve(browser, told["user_code"])
    tokens = poll(lamp, told["device_code"]).get_json()
    assert "id_token" not in tokens
    assert lamp.userinfo(tokens["access_token"]).status_code == 403


def test_what_it_may_not_have_is_left_out(lamp: OidcSite) -> None:
    change_client(lamp, refresh_tokens=False, scopes=("openid", "offline_access"))
    assert lamp.post("/device-authorization", scope="profile").get_json()["error"] == "invalid_scope"
    assert lamp.post("/device-authorization", scope="offline_access").get_json()["error"] == "invalid_scope"


def test_a_device_may_ask_for_a_resource(browser: FlaskClient, lamp: OidcSite, wiki: OidcSite) -> None:
    change_client(lamp, audience=("wiki",))
    assert lamp.post("/device-authorization", resource="https://x.example/").get_json()["error"] == "invalid_target"
    told = begin(lamp, resource=STOCK)
    approve(browser, told["user_code"])
    refused = poll(lamp, told["device_code"], resource="https://x.example/")
    assert outcome(refused) == "invalid_target"
    tokens = poll(lamp, told["device_code"]).get_json()
    assert described(wiki, tokens["access_token"])["aud"] == [ISSUER, STOCK]


def test_a_store_that_fails_in_the_middle_costs_no_sign_in(
    browser: FlaskClient, lamp: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sso_server.core.errors import Unavailable
    from sso_server.core.tickets import Tickets

    told = begin(lamp)
    approve(browser, told["user_code"])

    def fail(*_args: object, **_more: object) -> None:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr(Tickets, "redeem", fail)
        assert poll(lamp, told["device_code"]).status_code == 503
    assert outcome(poll(lamp, told["device_code"])) == ""


def test_codes_at_rest_are_digests(lamp: OidcSite, browser: FlaskClient) -> None:
    told = begin(lamp)
    approve(browser, told["user_code"])
    database = built_of(lamp.app).settings.data_dir / "lockstep.sqlite3"
    held = b"".join(path.read_bytes() for path in database.parent.glob("lockstep.sqlite3*"))
    assert told["device_code"].encode() not in held
    assert told["user_code"].encode() not in held
    assert told["user_code"].replace("-", "").encode() not in held
    assert isinstance(built_of(lamp.app).services.devices, Devices)
