"""The fake provider's access and refresh tokens: what is valid, what was rotated, what was revoked.

Times are seconds of the provider's own clock and passed in. Whether a session lives is the provider's knowledge.
"""

import secrets
from dataclasses import dataclass, field

#: A lost answer may be asked for again for so long; after that the same refresh token is a stolen one.
REPEAT_S = 60


@dataclass(eq=False, slots=True)
class Grant:
    """What one ticket led to: its tokens end together."""

    sid: str
    sub: str
    scope: str
    auth_time: int
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class AccessToken:
    """One access token that was handed out."""

    grant: Grant
    jti: str
    iat: int
    exp: int
    is_jwt: bool


@dataclass(slots=True)
class RefreshToken:
    """One refresh token that was handed out, and when it was first used."""

    grant: Grant
    used_at: float | None = None


@dataclass(slots=True)
class TokenBook:
    """Every token of one provider, by its text."""

    access: dict[str, AccessToken] = field(default_factory=dict)
    refresh: dict[str, RefreshToken] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)  # jti

    def new_refresh_token(self, grant: Grant) -> str:
        text = f"rt-{secrets.token_hex(16)}"
        self.refresh[text] = RefreshToken(grant)
        return text

    def find_access(self, text: str, now_s: float) -> AccessToken | None:
        """The token if it is known, unexpired and not revoked; its session may be over."""
        found = self.access.get(text)
        if found is None or found.exp <= now_s or found.grant.revoked or found.jti in self.revoked:
            return None
        return found

    def live_of(self, sids: set[str], now_s: float) -> list[AccessToken]:
        """The unexpired access tokens of some sessions."""
        return [token for token in self.access.values() if token.grant.sid in sids and token.exp > now_s]

    def spend(self, text: str, now_s: float) -> tuple[Grant | None, bool]:
        """Use a refresh token: its grant, or None if it is unknown or revoked; and whether it was stolen."""
        found = self.refresh.get(text)
        if found is None or found.grant.revoked:
            return None, False
        if found.used_at is not None and now_s - found.used_at > REPEAT_S:
            return found.grant, True
        found.used_at = found.used_at if found.used_at is not None else now_s
        return found.grant, False
