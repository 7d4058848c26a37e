"""Accounts: make, change, disable. A change, its line in the audit and, if it must end the person's sessions, its end
order are one transaction: nothing of it can be missing once somebody was told of a failure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field, replace

from sso_server.core.errors import InvalidRequest, Refused, WrongCredentials
from sso_server.core.events import Event, EventKind
from sso_server.core.people import People
from sso_server.core.ports import Clock, PasswordHasher, Randomness, UserStore
from sso_server.core.profiles import change_profile
from sso_server.core.records import record
from sso_server.core.sessions import EndReason
from sso_server.core.sign_out import SignOut
from sso_server.core.users import EndOrder, User, check_password, check_username, fold_username

_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}")


@record
class Changes:
    """What is to be said of a person. None: as it is; an empty text: not known any more."""

    name: str | None = None
    email: str | None = None
    email_verified: bool | None = None
    locale: str | None = None
    """A language tag (BCP 47)."""
    groups: tuple[str, ...] | None = None
    claims: Mapping[str, str] = field(default_factory=dict)
    """Further claims: see `profiles.change_profile`."""


class Accounts:
    """Changes to people's accounts. `actor` says who does it: `user`, `cli`, `admin:USERNAME`, `setup`."""

    def __init__(
        self,
        users: UserStore,
        people: People,
        sign_out: SignOut,
        hasher: PasswordHasher,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._users = users
        self._people = people
        self._sign_out = sign_out
        self._hasher = hasher
        self._clock = clock
        self._random = randomness

    def add(
        self,
        username: str,
        password: str,
        *,
        name: str = "",
        email: str = "",
        groups: tuple[str, ...] = (),
        is_admin: bool = False,
        more: Changes | None = None,
        actor: str,
    ) -> User:
        """A new account; `more` says what else is known of the person. Raises InvalidRequest, Refused (the name is
        taken)."""
        user = User(
            user_id=self._random.token("usr"),
            username=check_username(username),
            password_hash="",
            created_at=self._clock.now(),
            name=name.strip(),
            email=email.strip(),
            groups=groups,
            is_admin=is_admin,
        )
        user = _changed(user, more or Changes())
        user = replace(user, password_hash=self._hasher.hash(check_password(password)))
        if not self._users.add(user, self._event(EventKind.USER_ADDED, user, actor)):
            raise Refused(f"The user name {user.username!r} is taken.", code="username_taken")
        return user

    def update(self, username: str, changes: Changes, *, actor: str) -> User:
        """What sites are told of the person from now on; nobody is signed out. Raises InvalidRequest, Refused."""
        user = self.get(username)
        changed = _changed(user, changes)
        if changed == user:
            return user
        changed = replace(changed, updated_at=self._clock.now())
        self._write(changed, self._event(EventKind.USER_CHANGED, changed, actor, change="profile"))
        return changed

    def get(self, username: str) -> User:
        """By name. Raises Refused."""
        user = self._users.find_by_username(fold_username(username))
        if user is None:
            raise Refused(f"There is no user {username!r}.", code="user_unknown")
        return user

    def change_password(self, user_id: str, current: str, new: str, *, keep_sid: str) -> User:
        """By the person: the present password is asked again (ASVS 5.0, 6.2.3); the other sessions and all grants end.

        Raises WrongCredentials, InvalidRequest.
        """
        user = self._users.find(user_id)
        if not self._hasher.verify(user.password_hash if user else None, current) or user is None:
            raise WrongCredentials("The present password is wrong.")
        return self._set_password(user, new, keep_sid=keep_sid, actor="user")

    def set_password(self, username: str, new: str, *, actor: str) -> User:
        """By an administrator or the CLI: every session ends."""
        return self._set_password(self.get(username), new, keep_sid="", actor=actor)

    def disable(self, username: str, *, actor: str) -> User:
        """No more sign-in; every session and every grant ends."""
        user = self.get(username)
        if user.disabled_at is not None:
            return user
        return self._change(
            replace(user, disabled_at=self._clock.now()), EndReason.ACCOUNT_DISABLED, keep_sid="", actor=actor
        )

    def enable(self, username: str, *, actor: str) -> User:
        """Sign-in works again."""
        user = self.get(username)
        if user.disabled_at is not None:
            user = replace(user, disabled_at=None)
            self._write(user, self._event(EventKind.USER_CHANGED, user, actor, change="enabled"))
        return user

    def sign_out_everywhere(self, user_id: str, *, keep_sid: str, reason: EndReason, actor: str) -> None:
        """End the person's sessions, all or all but one; grants that outlive sessions stay."""
        user = self._users.find(user_id)
        if user is not None:
            self._change(user, reason, keep_sid=keep_sid, actor=actor, revoke=False)

    def _set_password(self, user: User, new: str, *, keep_sid: str, actor: str) -> User:
        changed = replace(user, password_hash=self._hasher.hash(check_password(new)))
        return self._change(changed, EndReason.PASSWORD_CHANGE, keep_sid=keep_sid, actor=actor)

    def _change(self, user: User, reason: EndReason, *, keep_sid: str, actor: str, revoke: bool = True) -> User:
        order: EndOrder = self._sign_out.order_for_user(
            user.user_id, user.version + 1, reason, keep_sid=keep_sid, revoke_grants=revoke
        )
        kind = EventKind.PASSWORD_CHANGED if reason is EndReason.PASSWORD_CHANGE else EventKind.USER_CHANGED
        self._write(user, self._event(kind, user, actor, change=reason.value), order)
        self._sign_out.begin(order)
        return replace(user, version=user.version + 1)

    def _write(self, user: User, event: Event, order: EndOrder | None = None) -> None:
        if not self._users.update(user, order, event):
            raise Refused("The account was changed at the same time. Try again.", code="conflict")
        self._people.changed()

    def _event(self, kind: EventKind, user: User, actor: str, **data: str | int | None) -> Event:
        return Event(self._clock.now(), kind, user_id=user.user_id, actor=actor, data=data)


def _changed(user: User, changes: Changes) -> User:
    email = user.email if changes.email is None else changes.email.strip()
    # Of another address nothing is known yet.
    verified = user.email_verified and email == user.email
    locale = user.locale if changes.locale is None else changes.locale.strip()
    if locale and _LOCALE.fullmatch(locale) is None:
        raise InvalidRequest(f"locale {locale!r} is not a language tag such as en or zh-CN.")
    if changes.email_verified and not email:
        raise InvalidRequest("There is no e-mail address that could be verified.")
    return replace(
        user,
        name=user.name if changes.name is None else changes.name.strip(),
        email=email,
        email_verified=verified if changes.email_verified is None else changes.email_verified,
        locale=locale,
        groups=user.groups if changes.groups is None else changes.groups,
        profile=change_profile(user.profile, changes.claims) if changes.claims else user.profile,
    )
