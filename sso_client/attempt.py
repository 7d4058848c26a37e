"""A sign-in under way: state, nonce, PKCE verifier, next page, in one signed cookie of its own.

One cookie for each attempt, named by its state, so that ten tabs can sign in at once and no server-side row is needed.
Signed with a key drawn from the client's secret: the value is the browser owner's to read, nobody's to change.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from itsdangerous import BadData, URLSafeSerializer

LIFE_MS = 60 * 60_000
# gunicorn and nginx refuse header lines over 8 KiB; the site's own cookies need room beside ours.
_ROOM_BYTES = 5000
RESTARTED = "r."


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in under way. Times in milliseconds UTC."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    next: str
    redirect_uri: str
    started_at_ms: int
    max_age_s: int | None = None  # the person must have typed something at most so long before
    acr: tuple[str, ...] = ()  # the ID token must name one of these

    @property
    def restarted(self) -> bool:
        """True if this attempt replaced one that failed: it won't be replaced again."""
        return is_restarted(self.state)


def is_restarted(state: str) -> bool:
    """A state tells by itself that it belongs to a second try, even when its cookie is gone."""
    return state.startswith(RESTARTED)


class Seal:
    """Signs what the browser keeps for us, one salt for each purpose."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        self._key = hmac.new(client_secret.encode(), f"sso-client cookies {client_id}".encode(), sha256).digest()

    def seal(self, purpose: str, value: object) -> str:
        """`value` (JSON) as a signed string."""
        return str(self._serializer(purpose).dumps(value))

    def unseal(self, purpose: str, value: str) -> object | None:
        """What was sealed for this purpose, or None if anything was changed."""
        try:
            opened: object = self._serializer(purpose).loads(value)
        except BadData:
            return None
        return opened

    def seal_attempt(self, attempt: Attempt) -> str:
        return self.seal(
            "attempt",
            [
                attempt.state,
                attempt.nonce,
                attempt.verifier,
                attempt.next,
                attempt.redirect_uri,
                attempt.started_at_ms,
                attempt.max_age_s,
                list(attempt.acr),
            ],
        )

    def unseal_attempt(self, value: str, now_ms: int) -> Attempt | None:
        """The attempt in a cookie, or None if it was changed or is older than an hour."""
        match self.unseal("attempt", value):
            case [str(state), str(nonce), str(verifier), str(page), str(uri), int(started), max_age, list(acr)]:
                age_s = max_age if isinstance(max_age, int) else None
                if 0 <= now_ms - started + 60_000 <= LIFE_MS:
                    return Attempt(state, nonce, verifier, page, uri, started, age_s, tuple(map(str, acr)))
        return None

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._key, salt=f"sso-client {purpose}", signer_kwargs={"digest_method": sha256, "key_derivation": "hmac"}
        )


def superfluous(seal: Seal, cookies: Mapping[str, str], now_ms: int, new_bytes: int) -> list[str]:
    """Which attempt cookies to delete so that a new one of `new_bytes` has room: the dead, then the oldest."""
    alive, dead = [], []
    for name, value in cookies.items():
        attempt = seal.unseal_attempt(value, now_ms)
        if attempt is None:
            dead.append(name)
        else:
            alive.append((attempt.started_at_ms, name, len(name) + len(value) + 3))
    alive.sort(reverse=True)
    room = _ROOM_BYTES - new_bytes
    for _, name, size in alive:
        room -= size
        if room < 0:
            dead.append(name)
    return dead
