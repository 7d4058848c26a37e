"""A whole story on the ports, from sign-in to the last purge, step by step, for tests that look at Redis itself."""

import itertools
from dataclasses import dataclass, field, replace

from sso_server.core import identifiers
from sso_server.core.check_in import StoreReport
from sso_server.core.guesses import Limit
from sso_server.core.notifications import AttemptResult, State
from sso_server.core.policy import DAY, HOUR, MINUTE, SECOND
from sso_server.core.polls import PollReport
from sso_server.core.sessions import Session
from sso_server.core.tickets import NewToken, Redemption, Ticket
from sso_server.core.tokens import Grant, Rotation
from sso_server.stores.redis import RedisStores

NOW = 1_700_000_000_000
SHOP_STORE = "st-" + "s" * 32
_serial = itertools.count()


def name(prefix: str, bucket: int) -> str:
    """A fresh identifier of the right shape."""
    digits = "".join("abcdefghij"[int(d)] for d in f"{next(_serial):032d}")
    return f"{prefix}-{bucket:02d}-{digits}"


def digest() -> str:
    """A fresh digest."""
    return identifiers.digest(name("ck", 0))


def new_session(bucket: int = 17, *, user_id: str = "usr-alice", browser_hash: str = "", **changes: object) -> Session:
    """A candidate that may idle for 9 h and live for 24 h."""
    session = Session(
        sid=name("sid", bucket),
        user_id=user_id,
        user_version=1,
        browser_hash=browser_hash or digest(),
        cookie_hash=digest(),
        auth_time=NOW,
        amr=("pwd",),
        created_at=NOW,
        last_active_at=NOW,
        idle_allowance_ms=9 * HOUR,
        absolute_until=NOW + DAY,
        user_agent="Mozilla/5.0 (X11; Linux x86_64)",
        address="192.0.2.7",
    )
    return replace(session, **changes)  # type: ignore[arg-type]


def new_ticket(session: Session, client_id: str = "shop", **changes: object) -> Ticket:
    """A ticket that is good for a minute."""
    ticket = Ticket(
        ticket_hash=digest(),
        kind="code",
        sid=session.sid,
        client_id=client_id,
        user_id=session.user_id,
        redirect_uri="https://shop.example/sso/callback",
        code_challenge="challenge",
        nonce="n",
        scope=("openid", "profile"),
        auth_time=session.auth_time,
        amr=session.amr,
        issued_at=NOW,
        expires_at=NOW + MINUTE,
        refreshable=True,
        offline=False,
    )
    return replace(ticket, **changes)  # type: ignore[arg-type]


def new_redemption(ticket: Ticket, store_id: str = SHOP_STORE, **changes: object) -> Redemption:
    """What the client of the ticket would send."""
    redemption = Redemption(
        ticket_hash=ticket.ticket_hash,
        bucket=identifiers.bucket_of(ticket.sid),
        client_id=ticket.client_id,
        redirect_uri=ticket.redirect_uri,
        code_challenge=ticket.code_challenge,
        store_id=store_id,
        kind="oidc",
        logout_uri="https://shop.example/sso/backchannel-logout",
        local_max_ms=DAY,
        margin_ms=0,
        reports=bool(store_id),
        idle_off=not store_id,
        access=NewToken(digest(), NOW + 5 * MINUTE),
        refresh=NewToken(digest(), NOW + 30 * DAY),
    )
    return replace(redemption, **changes)  # type: ignore[arg-type]


def new_jwt(bucket: int = 17, now: int = NOW) -> NewToken:
    """A JWT access token for the API of `stock`."""
    jti = name("jti", bucket)
    return NewToken(identifiers.digest(jti), now + 5 * MINUTE, ("stock",), jti, now + 10 * MINUTE)


def new_report(**changes: object) -> StoreReport:
    """A check-in of the shop's store with nothing to say."""
    report = StoreReport(
        client_id="shop",
        store_id=SHOP_STORE,
        acks=(),
        active=(),
        live=None,
        logout_uri="https://shop.example/sso/backchannel-logout",
        local_max_ms=DAY,
        margin_ms=0,
        lease_s=60,
        grace_s=0,
    )
    return replace(report, **changes)  # type: ignore[arg-type]


@dataclass
class Story:
    """Tells the story; `steps()` yields after each step with the step's name."""

    stores: RedisStores
    session: Session = field(default_factory=new_session)

    def steps(self):
        s, session = self.stores, self.session
        s.sessions.open(session, NOW, MINUTE)
        yield "open"
        s.sessions.open(replace(new_session(17), browser_hash=session.browser_hash), NOW, MINUTE)
        yield "renew"
        assert s.sessions.find_by_cookie(session.cookie_hash, 17, NOW) is not None
        yield "find_by_cookie"
        assert s.sessions.find(session.sid) is not None
        yield "find"
        s.sessions.touch(session.sid, NOW + SECOND)
        yield "touch"
        ticket = new_ticket(session)
        s.tickets.put(ticket)
        yield "put"
        redemption = new_redemption(ticket)
        assert s.tickets.redeem(redemption, NOW).refusal is None
        yield "redeem"
        assert s.tokens.find_token(redemption.access.token_hash, "at", 17, NOW) is not None
        yield "find_token"
        assert redemption.refresh is not None
        rotation = Rotation(
            redemption.refresh.token_hash,
            17,
            "shop",
            NewToken(digest(), NOW + MINUTE),
            NewToken(digest(), NOW + DAY),
            MINUTE,
        )
        assert s.tokens.rotate(rotation, NOW).refusal is None
        yield "rotate"
        s.tokens.revoke(rotation.access.token_hash, "at", 17, "shop", NOW)
        yield "revoke"
        blog = new_ticket(session, "blog")
        s.tickets.put(blog)
        yield "put"
        for_api = new_redemption(blog, "", client_id="blog", access=new_jwt())
        assert s.tickets.redeem(for_api, NOW).refusal is None
        yield "redeem"
        assert s.tokens.revoke(for_api.access.token_hash, "at", 17, "blog", NOW)
        yield "revoke"
        assert s.tokens.revoke_grant(blog.ticket_hash, 17, NOW)
        yield "revoke_grant"
        own = Grant(digest(), "", "shop", "", ("stock.read",), 0, (), offline=True, created_at=NOW)
        assert s.grants.issue(own, new_jwt(), 17, NOW) is None
        yield "issue"
        assert s.slips.add("dc:1", "pending", NOW + MINUTE, NOW)
        yield "slip_add"
        assert s.slips.replace("dc:1", "pending", "approved", NOW)
        yield "slip_replace"
        assert s.slips.extend("dc:1", NOW + 2 * MINUTE, NOW)
        yield "slip_extend"
        assert s.slips.find("dc:1", NOW) == "approved"
        yield "slip_find"
        assert s.slips.take("dc:1", NOW) == "approved"
        yield "slip_take"
        assert len(s.lists.participants(session.sid)) == 2
        yield "participants"
        assert s.check_ins.check_in(new_report(active=(session.sid,)), NOW, 1000).ends == ()
        yield "check_in"
        s.sessions.note_forgotten(["prices"], NOW + MINUTE, NOW)
        yield "note_forgotten"
        ended = s.sessions.end(session.sid, "sign_out", NOW)
        assert ended is not None
        assert len(ended.notifications) == 2
        yield "end"
        feed = s.check_ins.check_in(new_report(client_id="stock", denied_from=0), NOW, 1000).denied
        assert {one.name for one in feed} == {for_api.access.jti, session.sid}
        yield "check_in"
        rows = s.outbox.claim("worker-1", NOW, 10, 30 * SECOND)
        assert len(rows) == 2
        yield "claim"
        assert len(s.outbox.list_claimed(NOW + 1, 10, 30 * SECOND)) == 2
        yield "list_claimed"
        assert [event.sid for event in s.polls.poll(PollReport("blog"), NOW, 10).events] == [session.sid]
        yield "poll"
        done = [
            AttemptResult(row.sid, row.client_id, row.store_id, row.attempt, State.ACKNOWLEDGED, None, 200, "")
            for row in rows
            if row.client_id == "blog"
        ]
        s.outbox.record(done, NOW)
        yield "record"
        (end,) = s.check_ins.check_in(new_report(), NOW, 1000).ends
        assert end.sid == session.sid
        yield "check_in"
        assert s.check_ins.check_in(new_report(acks=(session.sid,)), NOW, 1000).ends == ()
        yield "acks"
        s.archive.mark_archived(s.archive.list_archivable(10))
        yield "archive"
        yield from self._second_part()

    def _second_part(self):
        s, other = self.stores, new_session(18, user_id=self.session.user_id)
        s.sessions.open(other, NOW, MINUTE)
        s.tickets.void_all("res-1", NOW)
        yield "void_all"
        ticket = new_ticket(other, offline=True)
        s.tickets.put(ticket)
        s.tickets.redeem(new_redemption(ticket), NOW)
        assert [found.sid for found in s.lists.list_live(NOW, 10, user_id=other.user_id)] == [other.sid]
        assert [found.sid for found in s.lists.list_live(NOW, 10, client_id="shop")] == [other.sid]
        yield "list_live"
        assert s.check_ins.registered("shop", [other.sid, self.session.sid]) == [other.sid]
        yield "registered"
        assert s.ledger.call_from_now("blog", "oidc", "https://blog.example/logout", NOW) == 0
        yield "call_from_now"
        assert s.tokens.revoke_grants_of(other.user_id, NOW) == 1 + 1
        yield "revoke_grants_of"
        assert [ended.session.sid for ended in s.sweeps.end_due(NOW + 9 * HOUR, 10)] == [other.sid]
        yield "end_due"
        assert s.ledger.retry(other.sid, "shop", NOW) == 1
        yield "retry"
        assert s.ledger.abandon(other.sid, "shop", "admin", NOW) == 1
        yield "abandon"
        assert [row.last_error for row in s.ledger.of_session(other.sid)] == ["by:admin"]
        yield "of_session"
        assert len(s.ledger.list_ended(10)) == 2
        yield "list_ended"
        assert s.ledger.list_ended(10, unfinished_only=True) == []
        yield "unfinished"
        s.archive.mark_archived(s.archive.list_archivable(10))
        yield "archive"
        limits = [Limit("u:alice", 20, SECOND, MINUTE, HOUR), Limit("a:office", 2, SECOND, MINUTE, HOUR)]
        assert [s.guesses.begin(limits, NOW) for _ in range(3)] == [0, 0, SECOND]
        yield "begin"
        s.guesses.settle(["u:nobody"], ["u:alice"])
        yield "settle"
        assert s.lists.count_live(NOW) == 0
        assert s.sweeps.purge(NOW + HOUR, 10) == 0
        yield "purge"
        assert s.past.beat(NOW, 0).heartbeat == NOW
        yield "beat"
        s.health.store_time()
        yield "store_time"
