"""What a person allows a third party's device is remembered if the device was allowed, and the device is served only if
it is remembered: whatever happens in between."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from sso_server.core.consents import Consents, Wish
from sso_server.core.devices import Asking, Devices
from sso_server.core.errors import Unavailable
from sso_server.core.events import EventKind
from sso_server.core.tickets import Issued, Tickets
from tests.fronts.conftest import Later
from tests.fronts.grants.conftest import ON_BOTH_STORES
from tests.fronts.grants.device import answer, begin, open_page, outcome, poll, type_in
from tests.support.in_between import before
from tests.support.oidc_site import OidcSite, built_of, change_client

ALLOWED = "/device?done=allowed"


class Died(BaseException):
    """The process is gone: nobody catches this."""


@pytest.fixture(autouse=True)
def of_strangers(lamp: OidcSite) -> None:
    change_client(lamp, metadata={"third_party": True})


def scope_agreed_to(lamp: OidcSite) -> tuple[str, ...] | None:
    here = built_of(lamp.app).services
    consent = here.consents.find(here.accounts.get("alice").user_id, "lamp")
    return consent.scope if consent is not None else None


def fail(error: type[BaseException]) -> Callable[[], None]:
    def happens() -> None:
        raise error

    return happens


@ON_BOTH_STORES
def test_an_answer_that_comes_too_late_agrees_to_nothing(
    browser: FlaskClient, lamp: OidcSite, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = begin(lamp)
    question = type_in(browser, told["user_code"])
    with ExitStack() as stack:
        before(monkeypatch, Tickets, "issue", lambda: stack.enter_context(later(601)))
        late = answer(browser, question)
        assert (late.status_code, "its time is over" in late.text) == (400, True)
        assert outcome(poll(lamp, told["device_code"])) == "expired_token"
    assert scope_agreed_to(lamp) is None
    assert built_of(lamp.app).services.audit.list_events(5, kind=EventKind.CONSENT_GIVEN) == []
    assert "You have allowed no app anything." in browser.get("/apps").text


def test_a_no_in_another_tab_that_was_faster_agrees_to_nothing(
    browser: FlaskClient, lamp: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = begin(lamp)
    question = type_in(browser, told["user_code"])
    before(monkeypatch, Tickets, "issue", lambda: answer(browser, question, "refuse"))
    assert answer(browser, question).status_code == 400
    assert outcome(poll(lamp, told["device_code"])) == "access_denied"
    assert scope_agreed_to(lamp) is None


def test_a_store_that_is_away_for_the_yes_agrees_to_nothing_and_the_button_works_again(
    browser: FlaskClient, lamp: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = begin(lamp)
    question = type_in(browser, told["user_code"])
    before(monkeypatch, Tickets, "issue", fail(Unavailable))
    assert answer(browser, question).status_code == 503
    assert scope_agreed_to(lamp) is None
    assert answer(browser, question).headers["Location"] == ALLOWED
    assert scope_agreed_to(lamp) == ("openid", "profile")


@ON_BOTH_STORES
def test_a_device_that_asks_before_the_yes_is_remembered_waits(
    browser: FlaskClient, lamp: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, heard = begin(lamp), []
    question = type_in(browser, told["user_code"])
    before(monkeypatch, Consents, "give", lambda: heard.append(outcome(poll(lamp, told["device_code"]))))
    assert answer(browser, question).headers["Location"] == ALLOWED
    assert heard == ["authorization_pending"]
    assert outcome(poll(lamp, told["device_code"])) == ""


@ON_BOTH_STORES
def test_a_yes_that_cannot_be_remembered_is_none_and_the_button_works_again(
    browser: FlaskClient, lamp: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = begin(lamp)
    question = type_in(browser, told["user_code"])
    before(monkeypatch, Consents, "give", fail(Unavailable))
    assert answer(browser, question).status_code == 503
    assert outcome(poll(lamp, told["device_code"])) == "authorization_pending"
    assert answer(browser, question).headers["Location"] == ALLOWED
    assert outcome(poll(lamp, told["device_code"])) == ""


@ON_BOTH_STORES
def test_of_two_presses_at_once_the_second_holds_the_device_up_no_longer(
    browser: FlaskClient, lamp: OidcSite, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, first = begin(lamp), []
    question = type_in(browser, told["user_code"])
    # Half a minute before the code expires: a device that still waited for a minute would find it over.
    with later(570):
        # The second is past everything that would find the question answered, when the first is done.
        before(monkeypatch, Tickets, "issue", lambda: first.append(answer(browser, question).headers["Location"]))
        second = answer(browser, question)
        assert (first, second.status_code, "used already" in second.text) == ([ALLOWED], 400, True)
        assert outcome(poll(lamp, told["device_code"])) == ""


def test_a_second_press_while_the_first_is_being_remembered_changes_nothing(
    browser: FlaskClient, lamp: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, second = begin(lamp), []
    question = type_in(browser, told["user_code"])
    before(monkeypatch, Consents, "give", lambda: second.append(answer(browser, question).status_code))
    assert answer(browser, question).headers["Location"] == ALLOWED
    assert second == [400]
    assert outcome(poll(lamp, told["device_code"])) == ""


@pytest.mark.parametrize("fails", [False, True], ids=["remembered", "not remembered"])
def test_versions_before_this_one_can_read_all_slips_but_those_of_a_yes_that_is_being_remembered(
    browser: FlaskClient, lamp: OidcSite, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    told, slips = begin(lamp), []
    question = type_in(browser, told["user_code"])
    with built_of(lamp.app).sql.database.read() as connection:
        name = connection.execute(sa.text("SELECT name FROM slips WHERE name LIKE 'device:%'")).scalar_one()

    def look() -> None:
        here = built_of(lamp.app).services
        slips.append(str(here.slips.find(name, here.clock.now())))

    def happens() -> None:
        look()
        if fails:
            raise Unavailable

    look()
    before(monkeypatch, Consents, "give", happens)
    answer(browser, question)
    look()
    assert ["held_until" in slip for slip in slips] == [False, True, False]
    assert [bool(Asking.from_text(slip).ticket) for slip in slips] == [False, True, not fails]


@ON_BOTH_STORES
def test_a_device_waits_no_longer_than_a_minute_for_a_store_that_cannot_say_that_its_yes_is_remembered(
    browser: FlaskClient, lamp: OidcSite, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = begin(lamp)
    question = type_in(browser, told["user_code"])
    before(monkeypatch, Devices, "_change_held", fail(Unavailable))
    assert answer(browser, question).headers["Location"] == ALLOWED
    assert outcome(poll(lamp, told["device_code"])) == "authorization_pending"
    with later(61):
        assert outcome(poll(lamp, told["device_code"])) == ""


def test_a_yes_that_the_audit_could_not_take_is_none_and_a_no_can_follow(browser: FlaskClient, lamp: OidcSite) -> None:
    told = begin(lamp)
    question = type_in(browser, told["user_code"])
    database = built_of(lamp.app).sql.database
    with database.write() as connection:
        connection.execute(sa.text("ALTER TABLE audit RENAME TO away"))
    assert answer(browser, question).status_code == 503
    with database.write() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO audit"))
    assert outcome(poll(lamp, told["device_code"])) == "authorization_pending"
    assert answer(browser, question, "refuse").headers["Location"] == "/device?done=refused"
    assert scope_agreed_to(lamp) is None
    assert built_of(lamp.app).services.audit.list_events(5, kind=EventKind.CONSENT_GIVEN) == []
    assert "You have allowed no app anything." in browser.get("/apps").text


@ON_BOTH_STORES
def test_what_was_registered_for_a_yes_that_nobody_remembered_is_revoked_and_nothing_else(
    browser: FlaskClient, lamp: OidcSite, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page(browser)
    here = built_of(lamp.app).services
    client = here.clients.find("lamp")
    assert client is not None
    here.consents.give(here.accounts.get("alice").user_id, client, Wish(("openid",)))
    told = begin(lamp, scope="openid")
    answer(browser, type_in(browser, told["user_code"]))
    within = poll(lamp, told["device_code"]).get_json()
    issued: list[Issued] = []
    redeem = Tickets.redeem

    def see(*args: Any, **more: Any) -> Issued:
        issued.append(redeem(*args, **more))
        return issued[-1]

    told = begin(lamp)
    question = type_in(browser, told["user_code"])
    before(monkeypatch, Consents, "give", fail(Died))
    with pytest.raises(Died):
        answer(browser, question)
    monkeypatch.setattr(Tickets, "redeem", see)
    with later(61):
        assert poll(lamp, told["device_code"]).get_json()["error_description"] == "consent_removed"
        assert here.tokens.find(issued[0].access_token) is None
        assert here.tokens.find(issued[0].refresh_token) is None
        assert here.tokens.find(within["access_token"]) is not None
        (session,) = here.lists.list_live(here.clock.now(), 5)
        assert [one.client_id for one in here.lists.participants(session.sid)] == ["lamp"], "it is told of the end"


@pytest.mark.parametrize("agreed", [None, ("openid",)], ids=["to nothing", "to less"])
def test_who_dies_before_a_yes_is_remembered_leaves_a_device_that_gets_nothing(
    browser: FlaskClient, lamp: OidcSite, later: Later, monkeypatch: pytest.MonkeyPatch, agreed: tuple[str, ...] | None
) -> None:
    open_page(browser)
    here = built_of(lamp.app).services
    client = here.clients.find("lamp")
    assert client is not None
    if agreed:
        here.consents.give(here.accounts.get("alice").user_id, client, Wish(agreed))
    told = begin(lamp)
    question = type_in(browser, told["user_code"])
    before(monkeypatch, Consents, "give", fail(Died))
    with pytest.raises(Died):
        answer(browser, question)
    assert outcome(poll(lamp, told["device_code"])) == "authorization_pending"
    with later(61):
        refused = poll(lamp, told["device_code"])
        assert (outcome(refused), refused.get_json()["error_description"]) == ("invalid_grant", "consent_removed")
    assert scope_agreed_to(lamp) == agreed
