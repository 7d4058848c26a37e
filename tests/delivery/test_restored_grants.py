"""The store of sessions goes back in time: spent tickets and revoked tokens do not come back with it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from sso_server.core.clients import Client
from sso_server.core.consents import Consents, Wish
from sso_server.core.errors import InvalidGrant, Unavailable
from sso_server.core.events import EventKind
from sso_server.core.identifiers import digest
from sso_server.core.policy import DAY, MINUTE, Policy
from sso_server.core.revocations import Revocation
from sso_server.core.sessions import Session
from sso_server.core.tickets import NewToken, Refusal, Tickets, s256
from sso_server.core.tokens import Rotated, Rotation, Tokens
from sso_server.crypto.identifiers import SystemRandomness
from tests.support.builders import bucket, identifier, opened, registered
from tests.support.deliveries import Deliveries
from tests.support.snapshots import Snapshot
from tests.support.went_back import Site, is_live, one_store, put_right, signed_in

CALLBACK = "https://shop.example/sso/callback"
VERIFIER = "v" * 43


@dataclass
class Shop:
    """What the shop asks the centre for: tickets to redeem, tokens to renew and revoke."""

    deliveries: Deliveries
    site: Site
    random: SystemRandomness = field(default_factory=SystemRandomness)

    def __post_init__(self) -> None:
        d, policy = self.deliveries, Policy()
        self.tickets = Tickets(d.stores.tickets, d.sql.audit, d.clock, self.random, policy)
        # No token here is a JWT: nobody signs.
        self.tokens = Tokens(
            d.stores.tokens, d.stores.grants, d.sign_out(), d.sql.audit, None, d.clock, self.random, policy  # type: ignore[arg-type]
        )  # fmt: skip

    @property
    def client(self) -> Client:
        return self.site.client

    def code(self, session: Session) -> str:
        challenge = s256(VERIFIER)
        return self.tickets.issue(
            session, self.client, redirect_uri=CALLBACK, code_challenge=challenge, nonce="n", scope=("openid",)
        )

    def redeem(self, code: str) -> str:
        """The refusal, or nothing."""
        try:
            self.tickets.redeem(code, self.client, redirect_uri=CALLBACK, code_verifier=VERIFIER)
        except InvalidGrant as error:
            return error.description
        return ""

    def refresh_token(self, session: Session) -> str:
        name, now = identifier("rt", bucket(session.sid)), self.deliveries.clock.now()
        # Offline, so that it is not the session's end alone that takes it.
        registered(
            self.deliveries.stores, session, now=now,
            refresh=NewToken(digest(name), now + 30 * DAY), ticket={"offline": True},
        )  # fmt: skip
        return name

    def renew(self, token: str) -> str:
        """The refusal, or nothing."""
        try:
            self.tokens.refresh(token, self.client, None)
        except InvalidGrant as error:
            return error.description
        return ""


@pytest.fixture
def shop(deliveries: Deliveries, site: Site) -> Shop:
    return Shop(deliveries, site)


def lose(deliveries: Deliveries, site: Site, snapshot: Snapshot) -> None:
    """What happened since the snapshot, as a site's next check-in finds out."""
    site.check_in()
    snapshot.restore()
    with pytest.raises(Unavailable):
        site.check_in()


def test_a_spent_ticket_is_not_good_again_and_a_new_one_is(
    deliveries: Deliveries, site: Site, shop: Shop, snapshot: Callable[[], Snapshot]
) -> None:
    session = signed_in(deliveries)
    site.check_in()
    code = shop.code(session)
    taken = snapshot()
    deliveries.clock.pass_ms(1000)
    assert not shop.redeem(code)
    lose(deliveries, site, taken)
    put_right(deliveries)
    assert shop.redeem(code) == Refusal.EXPIRED.value
    fresh = signed_in(deliveries) if one_store(deliveries) else session
    assert not shop.redeem(shop.code(fresh))


def test_what_a_site_revoked_stays_revoked_and_nothing_else_is(
    deliveries: Deliveries, site: Site, shop: Shop, snapshot: Callable[[], Snapshot]
) -> None:
    session = signed_in(deliveries)
    site.check_in()
    deliveries.restoring().run_once(beat=True)
    revoked, other = shop.refresh_token(session), shop.refresh_token(session)
    taken = snapshot()
    deliveries.clock.pass_ms(1000)
    shop.tokens.revoke(revoked, shop.client)
    lose(deliveries, site, taken)
    put_right(deliveries)
    assert shop.renew(revoked) == Refusal.REVOKED.value
    if not one_store(deliveries):
        assert not shop.renew(other), "with a journal nobody else is signed out"


def test_a_family_that_a_replay_had_revoked_stays_so(
    deliveries: Deliveries, site: Site, shop: Shop, snapshot: Callable[[], Snapshot]
) -> None:
    session = signed_in(deliveries)
    site.check_in()
    code = shop.code(session)
    issued = shop.tickets.redeem(code, shop.client, redirect_uri=CALLBACK, code_verifier=VERIFIER)
    first = shop.refresh_token(session)
    assert not shop.renew(first)
    taken = snapshot()
    deliveries.clock.pass_ms(2 * MINUTE)
    assert shop.redeem(code) == Refusal.USED.value
    assert shop.renew(first) == Refusal.USED.value, "long after the grace: a thief or the victim"
    assert not is_live(deliveries, session)
    lose(deliveries, site, taken)
    assert is_live(deliveries, session)
    put_right(deliveries)
    assert not is_live(deliveries, session)
    assert shop.renew(issued.refresh_token) == Refusal.SESSION_ENDED.value
    assert shop.renew(first) == Refusal.USED.value


class LosesItsAnswer:
    """A store of tokens that does what it is asked, once, and whose answer doesn't come."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._lost = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def rotate(self, rotation: Rotation, now: int) -> Rotated:
        answer: Rotated = self._store.rotate(rotation, now)
        if not self._lost:
            self._lost = True
            raise Unavailable(detail="the answer was lost")
        return answer


def test_an_alarm_whose_answer_was_lost_goes_when_the_token_is_shown_again(deliveries: Deliveries, shop: Shop) -> None:
    session = signed_in(deliveries)
    token = shop.refresh_token(session)
    assert not shop.renew(token)
    deliveries.clock.pass_ms(2 * MINUTE)
    shop.tokens._store = LosesItsAnswer(deliveries.stores.tokens)  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        shop.renew(token)
    assert is_live(deliveries, session)
    assert shop.renew(token) == Refusal.USED.value
    assert not is_live(deliveries, session)
    assert deliveries.sql.audit.list_events(1, kind=EventKind.TOKEN_REUSED)


def test_spent_tokens_that_are_shown_again_and_again_leave_one_alarm_for_each_family(
    deliveries: Deliveries, shop: Shop
) -> None:
    session = signed_in(deliveries)
    tokens = [shop.refresh_token(session) for _ in range(3)]
    wiki = deliveries.site("wiki", "https://wiki.example/logout")
    for token in tokens:
        assert not shop.renew(token)
    deliveries.clock.pass_ms(2 * MINUTE)
    for _ in range(4):
        for token in tokens[:2]:
            assert shop.renew(token) == Refusal.USED.value
        with pytest.raises(InvalidGrant, match=Refusal.OTHER_CLIENT.value):
            shop.tokens.refresh(tokens[2], wiki, None)
    assert len(deliveries.sql.audit.list_events(100, kind=EventKind.TOKEN_REUSED)) == 2
    lines = deliveries.sql.journal.revocations_after(0, 100)
    assert [revocation.digest for _, revocation in lines if revocation is not None] == [digest(t) for t in tokens]


def test_an_access_token_is_in_the_journal_before_it_is_gone(deliveries: Deliveries, shop: Shop) -> None:
    session = signed_in(deliveries)
    name = identifier("at", bucket(session.sid))
    now = deliveries.clock.now()
    registered(deliveries.stores, session, now=now, access=NewToken(digest(name), now + MINUTE))
    shop.tokens.revoke(name, shop.client)
    shop.tokens.revoke(name, shop.client)
    lines = deliveries.sql.journal.revocations_after(0, 10)
    assert [revocation.digest for _, revocation in lines if revocation is not None] == [digest(name)]
    assert shop.tokens.find(name) is None


def test_a_family_that_another_client_had_shown_stays_revoked(
    deliveries: Deliveries, site: Site, shop: Shop, snapshot: Callable[[], Snapshot]
) -> None:
    session = signed_in(deliveries)
    site.check_in()
    deliveries.restoring().run_once(beat=True)
    token = shop.refresh_token(session)
    wiki = deliveries.site("wiki", "https://wiki.example/logout")
    taken = snapshot()
    deliveries.clock.pass_ms(1000)
    with pytest.raises(InvalidGrant):
        shop.tokens.refresh(token, wiki, None)
    lose(deliveries, site, taken)
    put_right(deliveries)
    assert shop.renew(token) == Refusal.REVOKED.value


def test_what_came_from_a_ticket_that_was_shown_twice_stays_revoked(
    deliveries: Deliveries, site: Site, shop: Shop, snapshot: Callable[[], Snapshot]
) -> None:
    session = signed_in(deliveries)
    site.check_in()
    deliveries.restoring().run_once(beat=True)
    code = shop.code(session)
    issued = shop.tickets.redeem(code, shop.client, redirect_uri=CALLBACK, code_verifier=VERIFIER)
    taken = snapshot()
    deliveries.clock.pass_ms(1000)
    assert shop.redeem(code) == Refusal.USED.value
    lose(deliveries, site, taken)
    put_right(deliveries)
    # In one store the journal is lost with the rest, so that everybody's session ends.
    expected = Refusal.SESSION_ENDED if one_store(deliveries) else Refusal.REVOKED
    assert shop.renew(issued.refresh_token) == expected.value


@pytest.mark.redis
@pytest.mark.parametrize("place", ["redis"], indirect=True)
def test_a_line_that_comes_late_is_followed(
    deliveries: Deliveries, site: Site, shop: Shop, snapshot: Callable[[], Snapshot]
) -> None:
    session = signed_in(deliveries)
    site.check_in()
    token = shop.refresh_token(session)
    taken = snapshot()
    deliveries.clock.pass_ms(1000)
    lose(deliveries, site, taken)
    restoring = deliveries.restoring()
    assert restoring.run_once(beat=True) is not None
    # A node at a master that was cut off had revoked it, and comes to write that down only now.
    late = Revocation("rt", digest(token), bucket(session.sid), shop.client.client_id)
    deliveries.sql.audit.append(late.event(deliveries.clock.now()))
    assert restoring.run_once(beat=False) is None
    assert shop.renew(token) == Refusal.REVOKED.value


def test_what_a_removed_app_was_granted_stays_revoked_and_nothing_of_others(
    deliveries: Deliveries, site: Site, shop: Shop, snapshot: Callable[[], Snapshot]
) -> None:
    session = signed_in(deliveries)
    site.check_in()
    deliveries.restoring().run_once(beat=True)
    removed = shop.refresh_token(session)
    wiki, now = deliveries.site("wiki", "https://wiki.example/logout"), deliveries.clock.now()
    elsewhere = opened(deliveries.stores, now, user_id=session.user_id)
    name = identifier("rt", bucket(elsewhere.sid))
    other = NewToken(digest(name), now + 30 * DAY)
    registered(deliveries.stores, elsewhere, "wiki", now, refresh=other, ticket={"offline": True})
    d = deliveries
    consents = Consents(d.sql.consents, d.sign_out(), d.stores.tokens, d.clock)
    consents.give(session.user_id, shop.client, Wish(("openid", "offline_access")))
    taken = snapshot()
    deliveries.clock.pass_ms(1000)
    assert consents.remove(session.user_id, shop.client.client_id, actor="user")
    assert not is_live(deliveries, session)
    assert is_live(deliveries, elsewhere)
    lose(deliveries, site, taken)
    put_right(deliveries)
    assert shop.renew(removed) == Refusal.REVOKED.value
    assert not is_live(deliveries, session)
    if not one_store(deliveries):
        assert is_live(deliveries, elsewhere)
        shop.tokens.refresh(name, wiki, None)
