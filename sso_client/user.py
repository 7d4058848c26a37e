"""The signed-in person as a site sees them: typed, frozen, read from verified claims."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

from sso_client.clock import SystemClock


@dataclass(frozen=True, slots=True)
class User:
    """A person. `auth_time` is in seconds since 1970; `claims` is everything that the centre said, read-only."""

    sub: str
    username: str
    name: str
    email: str | None
    email_verified: bool
    groups: tuple[str, ...]
    locale: str | None
    auth_time: int | None
    amr: tuple[str, ...]
    acr: str | None
    sid: str | None
    claims: Mapping[str, Any] = field(repr=False)

    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False

    def has_group(self, group: str) -> bool:
        """True if the person is in the group of exactly this name."""
        return group in self.groups

    def is_fresh(self, max_age_s: int, now_s: float | None = None) -> bool:
        """True if the person typed a password (or the like) at most `max_age_s` seconds ago."""
        now_s = SystemClock().wall_ms() / 1000 if now_s is None else now_s
        # A centre whose clock is a little ahead has sent a time to come: that is fresh.
        return self.auth_time is not None and -60 <= now_s - self.auth_time <= max_age_s


@dataclass(frozen=True, slots=True)
class AnonymousUser:
    """Nobody is signed in: falsy, with the same attributes as `User`, all empty."""

    sub: str = ""
    username: str = ""
    name: str = ""
    email: str | None = None
    email_verified: bool = False
    groups: tuple[str, ...] = ()
    locale: str | None = None
    auth_time: int | None = None
    amr: tuple[str, ...] = ()
    acr: str | None = None
    sid: str | None = None
    claims: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    is_authenticated: ClassVar[bool] = False
    is_anonymous: ClassVar[bool] = True

    def __bool__(self) -> bool:
        return False

    def has_group(self, group: str) -> bool:
        return False

    def is_fresh(self, max_age_s: int, now_s: float | None = None) -> bool:
        return False


def user_from_claims(claims: Mapping[str, Any]) -> User:
    """Read a person from verified claims. A claim of a wrong type counts as absent; `sub` must be there."""
    sub = str(claims["sub"])
    username = _text(claims, "preferred_username") or sub
    return User(
        sub=sub,
        username=username,
        name=_text(claims, "name") or username,
        email=_text(claims, "email"),
        email_verified=claims.get("email_verified") is True,
        groups=_texts(claims, "groups"),
        locale=_text(claims, "locale"),
        auth_time=claims["auth_time"] if type(claims.get("auth_time")) is int else None,
        amr=_texts(claims, "amr"),
        acr=_text(claims, "acr"),
        sid=_text(claims, "sid"),
        claims=MappingProxyType(dict(claims)),
    )


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value else None


def _texts(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = claims.get(name)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else ()
