"""The fake provider itself: one client's sessions, tickets and tokens, and the ends that a store must hear of.

It keeps the wire contract (tickets taken once, ends listed until acknowledged) and remembers what was asked of it.
Its addresses are `endpoints`, what they say is `answers`, its socket is `listener`. What a test says to it comes
through `FakeSSO`.
"""

import secrets
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt

from sso_client.clock import Clock, SystemClock
from sso_client.identifiers import pkce_challenge
from sso_client.testing import answers
from sso_client.testing.listener import Listener
from sso_client.testing.signing import KeyRing
from sso_client.testing.tokens import AccessToken, Grant, TokenBook

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(slots=True)
class Session:
    """A session at the provider. `auth_time` in seconds."""

    sid: str
    sub: str
    auth_time: int
    claims: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Ticket:
    """An authorization code and the request that it answers. `challenge` is PKCE's."""

    sid: str
    sub: str
    nonce: str
    auth_time: int
    redirect_uri: str
    challenge: str = ""
    scope: str = "openid"
    used: bool = False


@dataclass
class Provider:
    """One centre with one client. Every field may be changed while it runs."""

    client_id: str = "shop"
    client_secret: str = "a-secret-that-only-tests-know"
    leases: bool = True  # False: any other provider, one without check-in
    lease_s: int = 60
    grace_s: int = 0
    epoch: str | None = None  # None: an older centre
    report_s: int | None = None  # None: an older centre that doesn't say it
    lag_ms: int = 0
    more_rounds: int = 0
    session_expires_in: int | None = 3600
    access_token: str = "opaque"  # or "jwt"
    access_token_s: int = 300
    refresh_tokens: bool = True
    skew_s: float = 0.0
    silent: bool = False  # nothing gets through to it
    visitor: str | None = None  # who sits before a real browser; None: the page asks
    redirect_uris: tuple[str, ...] = ()  # empty: any address on this machine
    profile: dict[str, Any] = field(default_factory=dict)  # what userinfo says of everybody
    discovery_changes: dict[str, Any] = field(default_factory=dict)  # a change to None removes a member
    id_token_changes: dict[str, Any] = field(default_factory=dict)
    token_changes: dict[str, Any] = field(default_factory=dict)
    introspection_changes: dict[str, Any] = field(default_factory=dict)
    check_in_changes: dict[str, Any] = field(default_factory=dict)
    failing: dict[str, Any] = field(
        default_factory=dict
    )  # address -> status | "hang up" | seconds (float) | error code
    failing_times: dict[str, int] = field(default_factory=dict)  # how often it still fails; absent: always
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    peers: list[Any] = field(default_factory=list)  # the caller's side of the connection of each request
    check_ins: list[dict[str, Any]] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)  # sid -> reason
    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    stores: dict[str, str] = field(default_factory=dict)  # sid -> store of the local session
    denied: list[dict[str, Any]] = field(default_factory=list)
    tokens: TokenBook = field(default_factory=TokenBook)
    keys: KeyRing = field(default_factory=KeyRing)
    clock: Clock = field(default_factory=SystemClock)
    listener: Listener = field(default_factory=Listener)
    lock: threading.RLock = field(default_factory=threading.RLock)

    # ------------------------------------------------------------ where it is, what time it has, how it fails

    def up(self) -> None:
        """Listen; after `down()` on the same port again."""
        self.listener.open(self)

    def down(self) -> None:
        """Stop listening: connections are refused."""
        self.listener.close()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.listener.port}"

    def now_s(self) -> float:
        """The provider's clock, seconds: the real one and the skew."""
        return self.clock.wall_ms() / 1000 + self.skew_s

    def calls(self, path: str) -> int:
        """How many requests came to this address."""
        return sum(1 for called, _, _ in self.requests if called == path)

    def take_fault(self, path: str) -> object:
        """How a request to this address fails, None if it doesn't; one that fails a few times only counts down."""
        with self.lock:
            fault: object = self.failing.get(path)
            left = self.failing_times.get(path)
            if left is not None:
                self.failing_times[path] = left - 1
                if left <= 1:
                    self.failing.pop(path, None)
                    self.failing_times.pop(path, None)
            return fault

    def is_registered(self, redirect_uri: str) -> bool:
        """True for an address that a code may be sent to."""
        if self.redirect_uris:
            return redirect_uri in self.redirect_uris
        return urlsplit(redirect_uri).scheme in ("http", "https")

    def is_own(self, url: str) -> bool:
        """True for an address of the site itself, by the origins that sign-ins came from."""
        origins = {urlsplit(ticket.redirect_uri)[:2] for ticket in self.tickets.values()}
        return urlsplit(url)[:2] in origins

    # ------------------------------------------------------------ signing in

    def open_session(self, sub: str, claims: dict[str, Any] | None = None, sid: str | None = None) -> Session:
        """A session of this person; with the `sid` of a live one that one, its claims renewed."""
        told = dict(claims or {})
        auth_time = int(told.pop("auth_time", self.now_s()))
        session = Session(sid or new_sid(), sub, auth_time, told)
        with self.lock:
            self.sessions[session.sid] = session
        return session

    def issue_ticket(self, login_url: str, *, sid: str, sub: str = "usr-alice", auth_time: int | None = None) -> str:
        """What the person's sign-in at the centre would lead to: a ticket for this authorization request."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(login_url).query).items()}
        with self.lock:
            session = self.sessions.get(sid) or self.open_session(sub, sid=sid)
            ticket = f"code-{secrets.token_hex(16)}"
            self.tickets[ticket] = Ticket(
                sid,
                sub,
                query.get("nonce", ""),
                session.auth_time if auth_time is None else auth_time,
                query["redirect_uri"],
                query.get("code_challenge", ""),
                query.get("scope", "openid"),
            )
        return ticket

    def callback_url(self, login_url: str, *, sid: str, sub: str = "usr-alice", auth_time: int | None = None) -> str:
        """The path and query that the browser comes back with."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(login_url).query).items()}
        ticket = self.issue_ticket(login_url, sid=sid, sub=sub, auth_time=auth_time)
        back = urlencode({"code": ticket, "state": query["state"], "iss": self.issuer})
        return f"{urlsplit(query['redirect_uri']).path}?{back}"

    def redeem(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Take a ticket, once. What burns it is checked after it is taken, as at the centre."""
        with self.lock:
            ticket = self.tickets.get(form.get("code", ""))
            if ticket is None:
                return _refused("ticket_unknown")
            if ticket.used:
                return _refused("ticket_used")
            ticket.used = True
            if form.get("redirect_uri") != ticket.redirect_uri:
                return _refused("redirect_uri_mismatch")
            if ticket.challenge and pkce_challenge(form.get("code_verifier", "")) != ticket.challenge:
                return _refused("pkce_mismatch")
            if ticket.sid in self.ended:
                return _refused("session_ended")
            if "store_id" in form:
                self.stores[ticket.sid] = form["store_id"]
            grant = Grant(ticket.sid, ticket.sub, ticket.scope, ticket.auth_time)
            return 200, answers.tokens(self, grant, ticket.nonce)

    def renew(self, refresh_token: str) -> tuple[int, dict[str, Any]]:
        """Rotate a refresh token; one that comes again after a minute is stolen, and the session ends."""
        with self.lock:
            grant, stolen = self.tokens.spend(refresh_token, self.now_s())
            if grant is None:
                return _refused("ticket_unknown")
            if stolen:
                self.end(grant.sid, "token_reuse")
                return _refused("ticket_used")
            if grant.sid in self.ended:
                return _refused("session_ended")
            return 200, answers.tokens(self, grant, None)

    # ------------------------------------------------------------ tokens

    def sign(self, claims: dict[str, Any], headers: dict[str, Any] | None = None, key: Any = None) -> str:
        """A JWT signed by the provider, or with another's `key`."""
        return self.keys.sign(claims, headers, key)

    def new_access_token(self, grant: Grant) -> str:
        """An access token of this grant, opaque or JWT (RFC 9068) as the client chose."""
        now_s = int(self.now_s())
        token = AccessToken(
            grant, secrets.token_hex(16), now_s, now_s + self.access_token_s, self.access_token == "jwt"
        )
        text = f"at-{token.jti}"
        if token.is_jwt:
            text = self.sign(answers.access_claims(self, token), {"typ": "at+jwt"})
        with self.lock:
            self.tokens.access[text] = token
        return text

    def find_access(self, text: str) -> AccessToken | None:
        """The access token if it is good now; it dies with its session."""
        with self.lock:
            found = self.tokens.find_access(text, self.now_s())
            return None if found is None or found.grant.sid in self.ended else found

    def revoke(self, text: str) -> None:
        """RFC 7009: an access token goes alone, a refresh token takes its grant along."""
        with self.lock:
            if text in self.tokens.refresh:
                grant = self.tokens.refresh[text].grant
                grant.revoked = True
                going = [token for token in self.tokens.access.values() if token.grant is grant]
            else:
                going = [self.tokens.access[text]] if text in self.tokens.access else []
            self.tokens.revoked |= {token.jti for token in going}
            self.denied += [{"jti": token.jti, "until": token.exp * 1000} for token in going if token.is_jwt]

    # ------------------------------------------------------------ signing out

    def end(self, sid: str, reason: str = "sign_out") -> None:
        """End a session; the store that holds it hears of it at check-in, and its JWT access tokens are denied."""
        with self.lock:
            if sid not in self.ended:
                until_s = max((t.exp for t in self.tokens.live_of({sid}, self.now_s()) if t.is_jwt), default=None)
                if until_s is not None:
                    self.denied.append({"sid": sid, "until": until_s * 1000})
            self.ended[sid] = reason
            store = self.stores.get(sid)
            if store is not None:
                self.rows[store][sid] = {"sid": sid, "reason": reason, "ended_at": int(self.now_s() * 1000)}

    def acknowledge(self, sid: str, store: str | None) -> None:
        """A logout call was answered by this store: no other's row goes."""
        with self.lock:
            if store is not None and store == self.stores.get(sid):
                self.rows[store].pop(sid, None)

    def logout_claims(self, **changes: Any) -> dict[str, Any]:
        """Claims of a good logout token; a change to None removes one."""
        moment = self.now_s()
        claims = {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": int(moment),
            "exp": int(moment) + 120,
            "jti": secrets.token_hex(8),
            "sub": "usr-alice",
            "events": {EVENT: {}},
            "reason": "sign_out",
            "ended_at": int(moment * 1000) - 31,
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def logout_token(self, typ: str | None = "logout+jwt", key: Any = None, **changes: Any) -> str:
        """A signed logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4)."""
        return self.sign(self.logout_claims(**changes), {"typ": typ}, key)

    def logout_form(self, **changes: Any) -> bytes:
        """The body of a logout call."""
        return urlencode({"logout_token": self.logout_token(**changes)}).encode()

    def sid_in(self, id_token: str) -> str | None:
        """The session that an ID token of ours names."""
        try:
            claims = jwt.decode(id_token, options={"verify_signature": False})
        except jwt.PyJWTError:
            return None
        sid = claims.get("sid")
        return sid if sid in self.sessions else None

    # ------------------------------------------------------------ what it says

    def discovery(self) -> dict[str, Any]:
        """The discovery document."""
        return answers.discovery(self)

    def check_in(self, told: dict[str, Any]) -> dict[str, Any]:
        """Hear a store and answer it."""
        with self.lock:
            return answers.check_in(self, told)


def new_sid() -> str:
    """A name for a session, in the centre's form."""
    return f"sid-07-{secrets.token_hex(16)}"


def _refused(why: str) -> tuple[int, dict[str, Any]]:
    return 400, {"error": "invalid_grant", "error_description": why}
