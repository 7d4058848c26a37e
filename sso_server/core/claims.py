"""Which claims a scope opens (OpenID Connect Core 1.0 section 5.4). Only what is known is said; `sub` always."""

from __future__ import annotations

from sso_server.core.users import User

SCOPES = ("openid", "profile", "email", "groups", "offline_access")


def claims_for(user: User, scope: tuple[str, ...]) -> dict[str, object]:
    """The person's claims that these scopes open."""
    claims: dict[str, object] = {"sub": user.user_id}
    if "profile" in scope:
        claims["preferred_username"] = user.username
        claims["name"] = user.name or user.username
        if user.locale:
            claims["locale"] = user.locale
    if "email" in scope and user.email:
        claims["email"] = user.email
        claims["email_verified"] = user.email_verified
    if "groups" in scope:
        claims["groups"] = list(user.groups)
    return claims


def granted_scope(requested: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes asked for that the client may have, in the order asked, once each (RFC 6749 section 3.3)."""
    return tuple(dict.fromkeys(s for s in requested.split() if s in allowed))
