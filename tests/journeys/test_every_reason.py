"""Whatever ends a session, its sites hear of it, and why: one site by push, one at its check-in, on each store. And the
API of the second, for which the first got a JWT access token, hears that it must refuse it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
import requests
from click.testing import CliRunner

from sso_server.cli import main
from sso_server.core.clients import site_client
from sso_server.core.consents import Wish
from sso_server.core.identifiers import digest
from sso_server.core.policy import DAY, MINUTE, SECOND
from sso_server.core.tickets import NewToken
from sso_server.fronts.oidc.id_token import sign_id_token
from sso_server.wiring import Built
from tests.support.browser import Browser
from tests.support.builders import a_rotation, bucket, identifier, opened, registered, store_id
from tests.support.centre import PASSWORD, Centre, wait_until
from tests.support.sinks import Sink

SECRET = "secret-of-the-desk-0123456789abcdef0123456789"
STORE = store_id()
_numbers = itertools.count()


@dataclass
class Person:
    """Somebody signed in at the centre, at the shop (told by push) and at the desk (hears at its check-in)."""

    bed: Bed
    username: str
    browser: Browser
    sid: str

    @property
    def cookie(self) -> str:
        return self.browser.http.cookies["lockstep_session"]


class Bed:
    """A running centre with two sites."""

    def __init__(self, centre: Centre, built: Built, shop: Sink) -> None:
        self.centre, self.built, self.shop = centre, built, shop
        self.stores: Any = built.session_stores
        self._checked: dict[str, dict[str, Any]] = {}
        for client_id, uri, secret in (("shop", shop.url, ""), ("desk", "", SECRET)):
            client = site_client(client_id, client_id, f"https://{client_id}.example", self.now())
            # The centre runs for all modules, and a worker may come to this one twice.
            built.sql.clients.remove(client_id)
            centre.add_client(replace(client, backchannel_logout_uri=uri), secret)

    def now(self) -> int:
        return self.built.services.clock.now()

    def command(self, *args: str, stdin: str | None = None) -> None:
        """`sso ARGS` on the centre's data, in this process."""
        result = CliRunner().invoke(main, list(args), input=stdin, env=self.centre.env)
        assert result.exit_code == 0, (result.output, result.exception)

    def account(self) -> str:
        username = f"person-{next(_numbers)}"
        self.centre.add_user(username)
        return username

    def person(self, username: str = "") -> Person:
        """Signed in through the page, in a new browser."""
        username = username or self.account()
        browser = Browser()
        browser.open(f"{self.centre.issuer}/sign-in").sign_in(username, PASSWORD)
        session = self.built.services.sign_in.find_any_session(browser.http.cookies["lockstep_session"])
        assert session is not None
        return self.at_sites(Person(self, username, browser, session.sid))

    def at_sites(self, person: Person, **refresh: Any) -> Person:
        session = self.stores.sessions.find(person.sid)
        now, jti = self.now(), identifier("jti", bucket(person.sid))
        access = NewToken(digest(jti), now + 5 * MINUTE, ("desk",), jti, now + 10 * MINUTE)
        registered(self.stores, session, "shop", now, margin_ms=MINUTE, access=access)
        desk: dict[str, Any] = {"store_id": STORE, "reports": True, "logout_uri": "", "margin_ms": MINUTE, **refresh}
        registered(self.stores, session, "desk", desk.pop("now", self.now()), **desk)
        return person

    def seeded(self, **times: int) -> Person:
        """Without a browser, with times of its own."""
        session = opened(self.stores, self.now(), user_id=f"usr-{next(_numbers)}", **times)
        return self.at_sites(Person(self, "", Browser(), session.sid))

    def pushed(self, sid: str) -> list[str]:
        """The reasons in the tokens that the shop got for this session, each checked as a site would, once."""
        tokens = [parse_qs(request.body.decode())["logout_token"][0] for request in list(self.shop.inbox)]
        for token in tokens:
            if token not in self._checked:
                self._checked[token] = jwt.decode(
                    token, self._key(token), ["RS256", "ES256"], audience="shop", issuer=self.centre.issuer
                )
        return [claims["reason"] for claims in map(self._checked.__getitem__, tokens) if claims["sid"] == sid]

    def _key(self, token: str) -> jwt.PyJWK:
        keys = requests.get(f"{self.centre.issuer}/jwks.json", timeout=15).json()["keys"]
        (key,) = [key for key in keys if key["kid"] == jwt.get_unverified_header(token)["kid"]]
        return jwt.PyJWK(key)

    def heard(self, sid: str) -> list[str]:
        """The reasons that the desk's store hears for this session at its check-in."""
        return [end["reason"] for end in self._check_in()["ends"] if end["sid"] == sid]

    def is_refused(self, sid: str) -> bool:
        """Whether the desk's API hears at the same check-in that tokens of this session are no good."""
        return sid in [entry.get("sid") for entry in self._check_in()["denied"]]

    def _check_in(self) -> dict[str, Any]:
        told = {"store": STORE, "denied_from": None}
        answer = requests.post(f"{self.centre.issuer}/check-in", json=told, auth=("desk", SECRET), timeout=15)
        assert answer.status_code == 200, answer.text
        answered: dict[str, Any] = answer.json()
        return answered


@pytest.fixture(scope="module")
def bed(running_centre: Centre) -> Iterator[Bed]:
    with running_centre.core() as built, Sink("ok") as shop:
        yield Bed(running_centre, built, shop)


def sign_out(bed: Bed) -> Person:
    person = bed.person()
    person.browser.open(f"{bed.centre.issuer}/sign-out").submit("/sign-out", scope="here")
    return person


def sign_out_everywhere(bed: Bed) -> Person:
    other = bed.person()
    person = bed.person(other.username)
    person.browser.open(f"{bed.centre.issuer}/sign-out").submit("/sign-out", scope="everywhere")
    return other


def site_sign_out(bed: Bed) -> Person:
    person, services = bed.person(), bed.built.services
    client, user = services.clients.find("desk"), services.accounts.get(person.username)
    assert client is not None
    hint = sign_id_token(
        services.signer,
        client,
        services.policy,
        sub=user.user_id,
        sid=person.sid,
        auth_time=bed.now(),
        amr=("pwd",),
        acr="",
        nonce="",
        access_token="none",
        now=bed.now(),
    )
    person.browser.open(f"{bed.centre.issuer}/end-session?id_token_hint={hint}")
    return person


def idle(bed: Bed) -> Person:
    return bed.seeded(idle_allowance_ms=SECOND)


def absolute(bed: Bed) -> Person:
    return bed.seeded(absolute_until=bed.now() + SECOND)


def administrator(bed: Bed) -> Person:
    person = bed.person()
    bed.command("session", "end", person.sid)
    return person


def administrator_ends_all(bed: Bed) -> Person:
    person = bed.seeded(created_at=bed.now() - SECOND)
    bed.command("session", "end", "--all", "--yes")
    return person


def password_change(bed: Bed) -> Person:
    other = bed.person()
    person = bed.person(other.username)
    new = "another horse battery"
    person.browser.open(f"{bed.centre.issuer}/password").submit("/password", current=PASSWORD, new=new, repeat=new)
    return other


def password_change_by_an_administrator(bed: Bed) -> Person:
    person = bed.person()
    bed.command("user", "set-password", person.username, "--password-stdin", stdin="another horse battery")
    return person


def account_disabled(bed: Bed) -> Person:
    person = bed.person()
    bed.command("user", "disable", person.username)
    return person


def token_reuse(bed: Bed) -> Person:
    session = opened(bed.stores, bed.now() - 10 * MINUTE, user_id=f"usr-{next(_numbers)}")
    text = identifier("rt", bucket(session.sid))
    token = NewToken(digest(text), bed.now() + DAY)
    person = bed.at_sites(Person(bed, "", Browser(), session.sid), refresh=token, now=bed.now() - 9 * MINUTE)
    bed.stores.tokens.rotate(
        a_rotation(token, bed.now() - 5 * MINUTE, session.sid, client_id="desk"), bed.now() - 5 * MINUTE
    )
    answer = requests.post(
        f"{bed.centre.issuer}/token",
        data={"grant_type": "refresh_token", "refresh_token": text},
        auth=("desk", SECRET),
        timeout=15,
    )
    assert answer.json()["error"] == "invalid_grant"
    return person


def client_removed(bed: Bed) -> Person:
    doomed = f"doomed-{next(_numbers)}"
    bed.centre.add_client(site_client(doomed, doomed, f"https://{doomed}.example", bed.now()))
    person = bed.person()
    registered(bed.stores, bed.stores.sessions.find(person.sid), doomed, bed.now())
    bed.command("client", "remove", doomed)
    return person


def app_removed(bed: Bed) -> Person:
    person, services = bed.person(), bed.built.services
    client, user = services.clients.find("desk"), services.accounts.get(person.username)
    assert client is not None
    services.consents.give(user.user_id, client, Wish(("openid",)))
    person.browser.open(f"{bed.centre.issuer}/apps").submit("/apps/remove")
    return person


def replaced(bed: Bed) -> Person:
    first, second, browser = bed.account(), bed.account(), Browser()
    page = browser.open(f"{bed.centre.issuer}/sign-in").page
    browser.sign_in(first, PASSWORD)
    session = bed.built.services.sign_in.find_any_session(browser.http.cookies["lockstep_session"])
    assert session is not None
    person = bed.at_sites(Person(bed, first, browser, session.sid))
    # The form that another tab still had open.
    browser.page = page
    browser.sign_in(second, PASSWORD)
    return person


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        (sign_out, "sign_out"),
        (sign_out_everywhere, "sign_out_everywhere"),
        (site_sign_out, "site_sign_out"),
        (idle, "idle"),
        (absolute, "absolute"),
        (administrator, "administrator"),
        (administrator_ends_all, "administrator"),
        (password_change, "password_change"),
        (password_change_by_an_administrator, "password_change"),
        (account_disabled, "account_disabled"),
        (token_reuse, "token_reuse"),
        (client_removed, "client_removed"),
        (app_removed, "app_removed"),
        (replaced, "replaced"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_both_sites_hear_why(bed: Bed, ends: Callable[[Bed], Person], reason: str) -> None:
    sid = ends(bed).sid
    wait_until(lambda: bed.pushed(sid), seconds=20, why="the shop to be called")
    assert bed.pushed(sid) == [reason]
    assert bed.heard(sid) == [reason]
    assert bed.is_refused(sid)


def test_a_person_who_changes_the_password_stays_signed_in_here_and_at_the_sites_of_this_session(bed: Bed) -> None:
    other = bed.person()
    person = bed.person(other.username)
    new = "another horse battery"
    person.browser.open(f"{bed.centre.issuer}/password").submit("/password", current=PASSWORD, new=new, repeat=new)
    wait_until(lambda: bed.pushed(other.sid), seconds=20, why="the other session's shop to be called")
    assert "/sessions" in person.browser.url
    assert bed.stores.sessions.find(person.sid).ended_at is None
    assert bed.stores.ledger.of_session(person.sid) == []
    assert (bed.pushed(person.sid), bed.heard(person.sid)) == ([], [])
    assert (bed.is_refused(person.sid), bed.is_refused(other.sid)) == (False, True)
