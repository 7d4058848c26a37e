"""Records with sane defaults, and the first steps of most stories: a session that is open, a site registered in it."""

import base64
import secrets
from dataclasses import replace
from typing import Any

from sso_server.core.check_in import StoreReport
from sso_server.core.identifiers import digest
from sso_server.core.notifications import AttemptResult, Notification, State
from sso_server.core.policy import DAY, HOUR, MINUTE
from sso_server.core.sessions import Session
from sso_server.core.tickets import NewToken, Redeemed, Redemption, Ticket
from sso_server.core.tokens import Rotation

#: When every story begins; the clock goes on by passing other values.
NOW = 1_800_000_000_000
IDLE = 8 * HOUR
LOGOUT_URI = "https://shop.example/sso/backchannel-logout"


def random_part() -> str:
    return base64.b32encode(secrets.token_bytes(20)).decode().lower()


def identifier(prefix: str, bucket: int | None = None) -> str:
    """As the centre makes them; any bucket unless one is asked for."""
    return f"{prefix}-{secrets.randbelow(64) if bucket is None else bucket:02d}-{random_part()}"


def store_id() -> str:
    return f"st-{random_part()}"


def bucket(of: str) -> int:
    return int(of.split("-")[1])


def a_session(**changes: Any) -> Session:
    """Of alice, in a browser of its own, opened now; its sid, browser and cookie share a bucket."""
    sid = changes.pop("sid", None) or identifier("sid", changes.pop("bucket", None))
    session = Session(
        sid=sid,
        user_id="usr-alice",
        user_version=1,
        browser_hash=digest(identifier("br", bucket(sid))),
        cookie_hash=digest(identifier("ck", bucket(sid))),
        auth_time=NOW,
        amr=("pwd",),
        created_at=NOW,
        last_active_at=NOW,
        idle_allowance_ms=IDLE,
        absolute_until=NOW + DAY,
        user_agent="Mozilla/5.0 (测试)",
        address="192.0.2.7",
    )
    return replace(session, **changes)


def again(session: Session, **changes: Any) -> Session:
    """Another candidate of the same browser."""
    fresh = a_session(bucket=bucket(session.sid))
    return replace(fresh, browser_hash=session.browser_hash, user_id=session.user_id, **changes)


def opened(stores: Any, now: int = NOW, **changes: Any) -> Session:
    """A session that is open, its times counted from `now`."""
    times = {
        "auth_time": now,
        "created_at": now,
        "last_active_at": now,
        "absolute_until": now + DAY,
    }
    session: Session = stores.sessions.open(a_session(**{**times, **changes}), now, MINUTE).session
    return session


def a_ticket(session: Session, **changes: Any) -> Ticket:
    """For the client `shop`, with PKCE, refreshable, good for a minute."""
    ticket = Ticket(
        ticket_hash=digest(identifier("code", bucket(session.sid))),
        kind="code",
        sid=session.sid,
        client_id="shop",
        user_id=session.user_id,
        redirect_uri="https://shop.example/sso/callback",
        code_challenge="challenge",
        nonce="nonce",
        scope=("openid", "profile"),
        auth_time=session.auth_time,
        amr=session.amr,
        issued_at=NOW,
        expires_at=NOW + MINUTE,
        refreshable=True,
        offline=False,
    )
    return replace(ticket, **changes)


def a_token(kind: str, expires_at: int, of: str) -> NewToken:
    return NewToken(digest(identifier(kind, bucket(of))), expires_at)


def a_redemption(ticket: Ticket, now: int = NOW, **changes: Any) -> Redemption:
    """The right one for this ticket, by a client with a logout address and without a store of ours."""
    redemption = Redemption(
        ticket_hash=ticket.ticket_hash,
        bucket=bucket(ticket.sid),
        client_id=ticket.client_id,
        redirect_uri=ticket.redirect_uri,
        code_challenge=ticket.code_challenge,
        store_id="",
        kind="oidc",
        logout_uri=LOGOUT_URI,
        local_max_ms=DAY,
        margin_ms=0,
        reports=False,
        idle_off=False,
        access=a_token("at", now + 5 * MINUTE, ticket.sid),
        refresh=a_token("rt", now + 30 * DAY, ticket.sid),
    )
    return replace(redemption, **changes)


def issued(stores: Any, session: Session, now: int = NOW, **changes: Any) -> Ticket:
    """A ticket that is kept, good for a minute from `now`."""
    ticket = a_ticket(session, **{"issued_at": now, "expires_at": now + MINUTE, **changes})
    stores.tickets.put(ticket)
    return ticket


def registered(
    stores: Any, session: Session, client_id: str = "shop", now: int = NOW, **changes: Any
) -> tuple[Redemption, Redeemed]:
    """The client has redeemed a ticket in the session. `ticket=` changes the ticket, everything else the redemption."""
    ticket = issued(stores, session, now, client_id=client_id, **changes.pop("ticket", {}))
    redemption = a_redemption(ticket, now, **changes)
    redeemed = stores.tickets.redeem(redemption, now)
    assert redeemed.refusal is None
    return redemption, redeemed


def ended(stores: Any, now: int = NOW, **changes: Any) -> Session:
    """A session of the client `shop` that was opened a second before `now` and signed out at `now`."""
    session = opened(stores, now - 1000)
    registered(stores, session, now=now - 1000, **changes)
    stores.sessions.end(session.sid, "sign_out", now)
    found: Session = stores.sessions.find(session.sid)
    return found


def a_rotation(token: NewToken, now: int, of: str, **changes: Any) -> Rotation:
    """By the client `shop`, with a grace of a minute."""
    rotation = Rotation(
        token_hash=token.token_hash,
        bucket=bucket(of),
        client_id="shop",
        access=a_token("at", now + 5 * MINUTE, of),
        refresh=a_token("rt", now + 30 * DAY, of),
        grace_ms=MINUTE,
    )
    return replace(rotation, **changes)


def a_report(store: str, **changes: Any) -> StoreReport:
    """A check-in of `shop` with nothing to say."""
    report = StoreReport(
        client_id="shop",
        store_id=store,
        acks=(),
        active=(),
        live=None,
        logout_uri=LOGOUT_URI,
        local_max_ms=DAY,
        margin_ms=0,
        lease_s=60,
        grace_s=0,
    )
    return replace(report, **changes)


def a_result(row: Notification, state: State, **changes: Any) -> AttemptResult:
    """What came of the attempt for which `row` was claimed."""
    result = AttemptResult(
        sid=row.sid,
        client_id=row.client_id,
        store_id=row.store_id,
        attempt=row.attempt,
        state=state,
        next_attempt_at=None,
        status=200 if state is State.ACKNOWLEDGED else 500,
        error="" if state is State.ACKNOWLEDGED else "http_500",
        sent=True,
    )
    return replace(result, **changes)
