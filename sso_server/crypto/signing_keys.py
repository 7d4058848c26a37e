"""The centre's signing keys at work: which one signs, which verify, what JWKS shows, rotation with overlap.

How a key looks as bytes is `key_pairs`; where it is kept is the store's.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import jwt

from sso_server.core.clients import ALGORITHMS
from sso_server.core.errors import Refused, Unavailable
from sso_server.core.keys import StoredKey
from sso_server.core.policy import DAY, MINUTE, SECOND
from sso_server.core.ports import Clock, KeyStore
from sso_server.crypto.key_pairs import PrivateKey, PrivateSeal, PublicKey, make_private_key, public_jwk, public_key

#: A next key is published this long before it signs: longer than anybody may cache JWKS.
ANNOUNCE_MS = 10 * MINUTE
#: A retired key is published this long: ID tokens come back as hints, logout tokens may still be on their way.
KEEP_RETIRED_MS = 31 * DAY
_REREAD_MS = 3 * SECOND
_MAX_TOKEN = 16 * 1024
_JWS = jwt.PyJWS(algorithms=list(ALGORITHMS))
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(slots=True)
class _Ring:
    """What this process knows of the store's keys, and when it read them (ms)."""

    rows: list[StoredKey] = field(default_factory=list)
    read_at: int | None = None


class SigningKeys:
    """`ports.Signer`. Parsed keys are kept in the process; the store is asked every few seconds. Thread-safe."""

    def __init__(self, store: KeyStore, secrets: Sequence[str], clock: Clock) -> None:
        self._store = store
        self._seal = PrivateSeal(secrets)
        self._clock = clock
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._ring = _Ring()
        self._private: dict[str, PrivateKey] = {}
        self._public: dict[str, PublicKey] = {}

    def ensure_keys(self) -> None:
        """Make what is missing, and prove that what signs can be read. Raises Refused, Unavailable.

        Two processes may start at once: both add, both re-read, and the oldest wins in both.
        """
        for alg in ALGORITHMS:
            if self._find_signing(alg) is None:
                now = self._clock.now()
                self._add(alg, now, active_from=now)
            self._private_key(self._signing_key(alg))

    def rotate(self, alg: str, *, announce_ms: int = ANNOUNCE_MS) -> StoredKey:
        """A next key: published at once, signing from `announce_ms` on; then the old one retires. Raises Unavailable.

        If this is interrupted half-way, the old key goes on signing and the next rotation retires both.
        """
        now = self._clock.now()
        active_from = now + announce_ms
        old = [row for row in self._read() if row.alg == alg and row.retired_at is None]
        new = self._add(alg, now, active_from=active_from)
        for row in old:
            # A key that never came to sign retires too: at the moment it would have begun, or the new one does.
            retired_at = max(row.active_from, active_from)
            self._store.update_key(replace(row, retired_at=retired_at, expires_at=retired_at + KEEP_RETIRED_MS))
        self._read()
        return new

    def retire_now(self, kid: str) -> StoredKey | None:
        """This key signs and verifies nothing from now on, in each process within seconds: somebody else may have it.
        The key that signs in its place, if one had to be made or hurried; None if it signed nothing any more.

        Raises Refused (there is no such key), Unavailable.
        """
        row = next((r for r in self._read() if r.kid == kid), None)
        if row is None:
            raise Refused(f"There is no signing key {kid!r}.", code="key_unknown")
        now = self._clock.now()
        signed = row.retired_at is None or now < row.retired_at
        # The other one first: at every moment something signs.
        heir = self._heir(row, now) if signed else None
        self._store.update_key(replace(row, retired_at=min(now, row.retired_at or now), expires_at=now))
        self._read()
        return heir

    def reseal(self) -> int:
        """Seal every key that an older secret opens under the first one; how many there were. Raises Unavailable."""
        done = 0
        for row in self._read():
            if self._seal.index_of(row.private_sealed):
                sealed = self._seal.seal(self._seal.open(row.private_sealed, row.kid, row.alg))
                done += self._store.reseal_key(row.kid, row.private_sealed, sealed)
        self._read()
        return done

    def sealed_under(self) -> dict[str, int | None]:
        """For each key that is kept, which of the secrets opens it, 0 for the first; None: none. Raises Unavailable."""
        return {row.kid: self._seal.index_of(row.private_sealed) for row in self._read()}

    def give_up_unreadable(self) -> list[str]:
        """The secret that sealed them is lost: keys that can't be read sign no more; what they signed stays good for as
        long as that of any retired key. Names of those. Raises Unavailable."""
        now = self._clock.now()
        lost = [row for row in self._read() if self._seal.index_of(row.private_sealed) is None]
        for row in lost:
            if row.retired_at is None or now < row.retired_at:
                self._store.update_key(replace(row, retired_at=now, expires_at=now + KEEP_RETIRED_MS))
        self._read()
        return [row.kid for row in lost]

    def tend(self, rotate_after_ms: int) -> list[StoredKey]:
        """Forget keys that are published no more, and rotate what has signed for `rotate_after_ms` (0: never); the new
        keys. Two processes that do it at once make one key too many, which does no harm. Raises Refused, Unavailable.
        """
        now = self._clock.now()
        self._store.drop_keys(now)
        rows = self._read()
        made = []
        for alg in ALGORITHMS if rotate_after_ms else ():
            row = self._find_signing(alg)
            has_next = any(r.alg == alg and now < r.active_from for r in rows)
            if row is not None and not has_next and now - row.active_from >= rotate_after_ms:
                made.append(self.rotate(alg))
        return made

    def list_keys(self) -> list[StoredKey]:
        """Every key that is still published, oldest first."""
        return self._published()

    def sign(self, claims: Mapping[str, Any], *, alg: str, typ: str) -> str:
        """A compact JWS with `kid`. Raises ValueError (no such alg), Refused (unreadable key), Unavailable."""
        if alg not in ALGORITHMS:
            raise ValueError(f"{alg!r} is not an algorithm of ours")
        row = self._signing_key(alg)
        # Put together here, signed by PyJWT: its `encode` looks at header and key anew each time, 6 of 42 us (ES256).
        signed = _header(alg, row.kid, typ) + _b64(_encode(dict(claims)).encode("ascii"))
        signature = _JWS.get_algorithm_by_name(alg).sign(signed, self._private_key(row))
        return (signed + b"." + _b64(signature)).decode("ascii")

    def verify(self, token: str, *, typ: str = "JWT") -> dict[str, Any] | None:
        """The claims of a token of ours of this type (`JWT`: an ID token), expired or not (RP-Initiated Logout 1.0
        section 4), or None."""
        if len(token) > _MAX_TOKEN:
            return None
        try:
            header = jwt.get_unverified_header(token)
            row = next((r for r in self._published() if r.kid == header.get("kid")), None)
            # The key decides the algorithm, never the token (RFC 8725 section 3.1): no `none`, no mixed keys.
            # And a logout token, signed with the same keys, must not pass for an ID token (section 3.11).
            if row is None or header.get("alg") != row.alg or str(header.get("typ", "JWT")).upper() != typ.upper():
                return None
            payload = _JWS.decode(token, self._public_key(row), algorithms=[row.alg])
            claims = json.loads(payload)
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None
        return claims if isinstance(claims, dict) else None

    def jwks(self) -> list[dict[str, str]]:
        """Public keys: next, active, retired but still accepted."""
        return [dict(row.public_jwk) for row in self._published()]

    def _signing_key(self, alg: str) -> StoredKey:
        row = self._find_signing(alg)
        if row is None:
            # Another process' key may be seconds old; if there really is none, make it: a first use is a first use.
            now = self._clock.now()
            self._add(alg, now, active_from=now)
            row = self._find_signing(alg)
        if row is None:
            raise Unavailable(detail=f"the store doesn't show the {alg} key that was just added")
        return row

    def _heir(self, row: StoredKey, now: int) -> StoredKey:
        """What signs from now on instead of `row`: the next key without its announcement, or a new one."""
        others = [r for r in self._ring.rows if r.alg == row.alg and r.kid != row.kid and r.retired_at is None]
        if not others:
            return self._add(row.alg, now, active_from=now)
        heir = min(others, key=lambda r: r.active_from)
        if heir.active_from > now:
            heir = replace(heir, active_from=now)
            self._store.update_key(heir)
        return heir

    def _find_signing(self, alg: str) -> StoredKey | None:
        now = self._clock.now()
        active = [
            row
            for row in self._rows()
            if row.alg == alg and row.active_from <= now and (row.retired_at is None or now < row.retired_at)
        ]
        return min(active, key=lambda row: (row.created_at, row.kid), default=None)

    def _published(self) -> list[StoredKey]:
        now = self._clock.now()
        return [row for row in self._rows() if row.expires_at is None or now < row.expires_at]

    def _rows(self) -> list[StoredKey]:
        ring = self._ring
        if ring.read_at is None:
            return self._read()
        # A clock set back must not freeze the cache, hence abs(). One thread asks, and the others don't wait for it.
        if abs(self._clock.now() - ring.read_at) >= _REREAD_MS and self._asking.acquire(blocking=False):
            try:
                return self._read()
            except Unavailable:
                # Keys are announced long before they sign: what is known is right for as long as a store may be away.
                self._ring = _Ring(ring.rows, self._clock.now())
            finally:
                self._asking.release()
        return self._ring.rows

    def _read(self) -> list[StoredKey]:
        self._ring = _Ring(self._store.list_keys(), self._clock.now())
        return self._ring.rows

    def _add(self, alg: str, now: int, *, active_from: int) -> StoredKey:
        key = make_private_key(alg)
        jwk = public_jwk(key, alg)
        row = StoredKey(
            kid=jwk["kid"],
            alg=alg,
            private_sealed=self._seal.seal(key),
            public_jwk=jwk,
            created_at=now,
            active_from=active_from,
            retired_at=None,
            expires_at=None,
        )
        self._store.add_key(row)
        self._read()
        return row

    def _private_key(self, row: StoredKey) -> PrivateKey:
        key = self._private.get(row.kid)
        if key is None:
            with self._lock:
                key = self._private.setdefault(row.kid, self._seal.open(row.private_sealed, row.kid, row.alg))
        return key

    def _public_key(self, row: StoredKey) -> PublicKey:
        key = self._public.get(row.kid)
        if key is None:
            with self._lock:
                key = self._public.setdefault(row.kid, public_key(row.public_jwk))
        return key


@lru_cache(maxsize=64)
def _header(alg: str, kid: str, typ: str) -> bytes:
    """The JOSE header (RFC 7515 section 4), encoded, with the dot behind it."""
    return _b64(_encode({"alg": alg, "kid": kid, "typ": typ}).encode("ascii")) + b"."


def _b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
