"""Sign-in: begin -> authenticate -> next_step -> open the session. The whole policy of when to ask stands in
`next_step`.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from enum import Enum

from sso_server.core import identifiers
from sso_server.core.errors import TooManyGuesses, Unavailable, WrongCredentials
from sso_server.core.events import Event, EventKind
from sso_server.core.guesses import limits_for
from sso_server.core.policy import Policy
from sso_server.core.ports import AuditStore, Clock, GuessStore, PasswordHasher, Randomness, SessionStore, UserStore
from sso_server.core.records import record
from sso_server.core.sessions import EndReason, Opened, Session
from sso_server.core.sign_out import SignOut
from sso_server.core.users import User, fold_username


@record
class Wishes:
    """What the asking client wants of the sign-in (OpenID Connect Core 1.0 section 3.1.2.1). `max_age_s` None: no
    wish.
    """

    asked_at: int = 0
    prompt: frozenset[str] = frozenset()
    max_age_s: int | None = None
    somebody_else: bool = False
    """The client wants another person than the one who is signed in: its hint or its `claims` name them."""


class Step(Enum):
    """What comes next for an authorization request."""

    ASK = "ask"
    PROCEED = "proceed"
    REFUSE = "login_required"


def next_step(session: Session | None, wishes: Wishes, now: int) -> Step:
    """Ask for a password, go on, or refuse because the client forbade to ask."""
    silent = "none" in wishes.prompt
    if session is None or not session.is_live(now):
        return Step.REFUSE if silent else Step.ASK
    if wishes.somebody_else:
        return Step.REFUSE if silent else Step.ASK
    # A password typed after the request was made satisfies every wish for freshness.
    if session.auth_time < wishes.asked_at:
        if wishes.prompt & {"login", "select_account"}:
            return Step.ASK
        # Zero is a wish for a password, however lately one was typed (OpenID Connect Core 1.0 section 3.1.2.1).
        if wishes.max_age_s == 0 or (wishes.max_age_s and now - session.auth_time > wishes.max_age_s * 1000):
            return Step.REFUSE if silent else Step.ASK
    return Step.PROCEED


@record
class Visitor:
    """The browser at the sign-in page. `known_mark` is not empty if this browser signed in to this account before."""

    browser_id: str
    address: str
    user_agent: str
    known_mark: str = ""


@record
class SignedIn:
    """A session just opened, and the secret for the browser's cookie (shown to nobody else, kept nowhere)."""

    session: Session
    user: User
    cookie: str
    replaced: Session | None
    browser_id: str
    """The browser's name from now on: another one than it brought, if that one belongs to somebody else's session."""


class SignIn:
    """Checks passwords and opens sessions."""

    def __init__(
        self,
        users: UserStore,
        sessions: SessionStore,
        guesses: GuessStore,
        sign_out: SignOut,
        hasher: PasswordHasher,
        audit: AuditStore,
        clock: Clock,
        randomness: Randomness,
        policy: Policy,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._guesses = guesses
        self._sign_out = sign_out
        self._hasher = hasher
        self._audit = audit
        self._clock = clock
        self._random = randomness
        self._policy = policy

    def new_browser_id(self) -> str:
        """The value of the browser's long-lived cookie; its bucket becomes that of its sessions."""
        return self._random.identifier(identifiers.BROWSER, self._random.bucket())

    def authenticate(self, username: str, password: str, visitor: Visitor) -> User:
        """The person. Raises WrongCredentials (whatever was wrong), TooManyGuesses, Unavailable."""
        now = self._clock.now()
        folded = fold_username(username)
        limits = limits_for(folded, visitor.address, visitor.known_mark)
        # Counted before the hash is computed, so that parallel guesses can't slip through together.
        wait_ms = self._guesses.begin(limits, now)
        if wait_ms > 0:
            raise TooManyGuesses(wait_ms)
        try:
            user = self._users.find_by_username(folded)
            # The same work for an unknown, a disabled and a real account (ASVS 5.0, 6.3.8).
            matches = self._hasher.verify(user.password_hash if user else None, password)
        except Unavailable:
            # Nobody has learnt anything: who is asked to come again in two seconds must not have to wait for minutes.
            with contextlib.suppress(Unavailable):
                self._guesses.settle((), [limit.key for limit in limits])
            raise
        if user is None or not matches or user.disabled_at is not None:
            self._audit.append(
                Event(
                    now,
                    EventKind.SIGN_IN_FAILED,
                    user_id=user.user_id if user else "",
                    data={"address": visitor.address},
                )
            )
            raise WrongCredentials("The user name or the password is wrong.")
        own, *shared = (limit.key for limit in limits)
        self._guesses.settle((own,), shared)
        if self._hasher.needs_rehash(user.password_hash):
            self._users.rehash(user.user_id, user.password_hash, self._hasher.hash(password))
        return user

    def open(
        self,
        user: User,
        visitor: Visitor,
        *,
        remember: bool,
        amr: tuple[str, ...] = ("pwd",),
        shown_cookie: str | None = None,
        old_cookie_ends: bool = False,
    ) -> SignedIn:
        """Open the session of this browser and person, or renew it. `shown_cookie`: the session cookie that the request
        brought. `old_cookie_ends`: at once, without the overlap.

        Raises WrongCredentials if the account changed meanwhile, Unavailable.
        """
        now = self._clock.now()
        overlap_ms = 0 if old_cookie_ends else self._policy.cookie_overlap_ms
        shown = identifiers.digest(shown_cookie) if shown_cookie else ""
        candidate, cookie = self._candidate(user, visitor, now, remember, amr)
        opened = self._sessions.open(candidate, now, overlap_ms, shown=shown)
        if opened is None:
            # A browser's name is no credential: whoever copied it must not end the session of the other person, who is
            # signed in under it elsewhere. The newcomer gets a name of their own.
            visitor = replace(visitor, browser_id=self.new_browser_id())
            candidate, cookie = self._candidate(user, visitor, now, remember, amr)
            opened = self._sessions.open(candidate, now, overlap_ms)
        if opened is None:
            raise Unavailable(detail="A browser's name that was just made belongs to somebody already.")
        if opened.replaced is not None:
            self._sign_out.announce_replaced(opened.replaced)
        try:
            self._confirm(opened, user, visitor, now)
        except Unavailable:
            # Nobody will get the cookie of this session: it must not live on without anybody who could end it, nor
            # without its line in the audit.
            with contextlib.suppress(Unavailable):
                self._sign_out.end(opened.session.sid, EndReason.SIGN_OUT, actor="sign_in")
            raise
        return SignedIn(opened.session, user, cookie, opened.replaced, visitor.browser_id)

    def open_in_place_of(self, sid: str, user: User, visitor: Visitor) -> SignedIn | None:
        """After the person, by a request of this session, removed an app from it: a fresh session for the same browser,
        by the same sign-in (`auth_time`, `amr`) and for no longer than the old one would have lived. None: that session
        hasn't ended, or for another reason, which stands.

        Raises WrongCredentials if the account changed since that sign-in, Unavailable.
        """
        ended = self._sessions.find(sid)
        if ended is None or ended.user_id != user.user_id or ended.end_reason != EndReason.APP_REMOVED:
            return None
        # What the old session was opened under: whoever changed the password meanwhile is not gone past.
        user, now = replace(user, version=ended.user_version), self._clock.now()
        candidate, cookie = self._candidate(user, visitor, now, ended.remembered, ended.amr)
        candidate = replace(candidate, auth_time=ended.auth_time, absolute_until=ended.absolute_until)
        opened = self._sessions.open(candidate, now, self._policy.cookie_overlap_ms)
        if opened is None:
            # Somebody else has just signed in in this browser.
            return None
        self._confirm(opened, user, visitor, now, continues=sid)
        return SignedIn(opened.session, user, cookie, None, visitor.browser_id)

    def _confirm(self, opened: Opened, user: User, visitor: Visitor, now: int, *, continues: str = "") -> None:
        """The account is still as it was checked, and the audit knows. Raises WrongCredentials, Unavailable."""
        current = self._users.find(user.user_id)
        if current is None or current.version != user.version or current.disabled_at is not None:
            # The password was changed, or the account disabled, between our check and the opening: an order that ran
            # in between may have missed this session, so it ends here.
            self._sign_out.end(opened.session.sid, EndReason.PASSWORD_CHANGE, actor="sign_in")
            raise WrongCredentials("The account changed while you were signing in. Please try again.")
        data: dict[str, str | int | None] = {
            "address": visitor.address[:64],
            "renewed": int(opened.renewed or bool(continues)),
        }
        self._audit.append(
            Event(
                now,
                EventKind.SIGNED_IN,
                user_id=user.user_id,
                sid=opened.session.sid,
                data=data | ({"continues": continues} if continues else {}),
            )
        )

    def _candidate(
        self, user: User, visitor: Visitor, now: int, remember: bool, amr: tuple[str, ...]
    ) -> tuple[Session, str]:
        """The session as it would be opened, and its cookie's secret; all in the bucket of the browser."""
        bucket = identifiers.bucket_of(visitor.browser_id)
        cookie = self._random.identifier(identifiers.COOKIE, bucket)
        session = Session(
            sid=self._random.identifier(identifiers.SESSION, bucket),
            user_id=user.user_id,
            user_version=user.version,
            browser_hash=identifiers.digest(visitor.browser_id),
            cookie_hash=identifiers.digest(cookie),
            auth_time=now,
            amr=amr,
            created_at=now,
            last_active_at=now,
            idle_allowance_ms=self._policy.idle_allowance_ms,
            absolute_until=now + (self._policy.remembered_ms if remember else self._policy.absolute_ms),
            # "Keep me signed in" would mean little if eight idle hours ended it.
            idle_off=remember,
            remembered=remember,
            user_agent=visitor.user_agent[:400],
            address=visitor.address[:64],
        )
        return session, cookie

    def find_session(self, cookie: str | None) -> Session | None:
        """The live session behind a cookie; touches it coarsely. None for anything else, however odd."""
        session = self.find_any_session(cookie)
        now = self._clock.now()
        if session is None or not session.is_live(now):
            return None
        if now - session.last_active_at >= self._policy.report_ms:
            self._sessions.touch(session.sid, now)
        return session

    def find_any_session(self, cookie: str | None) -> Session | None:
        """Also one that has ended lately, so that its page can tell how the sites took it."""
        if cookie is None or not identifiers.is_kind(cookie, identifiers.COOKIE):
            return None
        return self._sessions.find_by_cookie(
            identifiers.digest(cookie), identifiers.bucket_of(cookie), self._clock.now()
        )
