"""Tokens in Redis: those of local sessions, those that are refused, and the long pages to go back to."""

from sso_client.clock import Instant
from sso_client.identifiers import new_secret
from sso_client.lease import Lease
from sso_client.records import LocalSession, Tokens
from sso_client.stores import MAX_PAGE, MAX_PAGES, PAGE_MS, RENEWAL_MS
from sso_client.stores.redis_link import RedisLink
from sso_client.stores.redis_sessions import lease_in, session_in


class RedisTokens:
    """`LocalTokens` in Redis. They lie in their session's own hash."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def find(self, cookie_hash: str) -> Tokens | None:
        access, until_ms, refresh, life_ms = self._link.step("find_tokens", cookie_hash)
        return None if access is None else Tokens(access, int(until_ms), refresh, int(life_ms))

    def take_renewal(self, cookie_hash: str, now: Instant) -> bool:
        # By Redis' clock: hosts share no other. A right that outlives its holder by a failover costs nothing: within a
        # minute the centre gives a sibling for a refresh token that was used twice, and `keep_renewed` keeps one.
        return bool(self._link.step("take_renewal", cookie_hash, RENEWAL_MS) == 1)

    def keep_renewed(self, cookie_hash: str, spent: str, tokens: Tokens) -> bool:
        kept = self._link.step(
            "keep_renewed",
            cookie_hash,
            spent,
            tokens.access_token,
            tokens.access_until_ms,
            tokens.refresh_token or "",
            tokens.access_life_ms,
        )
        return bool(kept == 1)

    def give_renewal_back(self, cookie_hash: str) -> None:
        self._link.step("give_renewal_back", cookie_hash)

    def end_refused(self, cookie_hash: str, spent: str) -> LocalSession | None:
        row = self._link.step("end_refused", cookie_hash, spent)
        return None if row is None else session_in(row)


class RedisDenied:
    """`DeniedTokens` in Redis; check-in fills it (`redis_journal`)."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def find(self, sid: str | None, jti: str | None, now_ms: int) -> tuple[bool, Lease, bool, int]:
        names = [f"{kind}:{name}" for kind, name in (("sid", sid), ("jti", jti)) if name is not None]
        lease, denied, denied_to, seen_ms = self._link.step("find_denied", now_ms, self._link.host(), *names)
        return denied == 1, lease_in(lease), denied_to is not None, int(seen_ms or 0)


class RedisPages:
    """`KeptPages` in Redis."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def keep(self, page: str, now_ms: int) -> str:
        if len(page) > MAX_PAGE:
            raise ValueError(f"a page of {len(page)} characters")
        name = new_secret()
        self._link.step("keep_page", name, page, now_ms + PAGE_MS, PAGE_MS, MAX_PAGES)
        return name

    def find(self, name: str, now_ms: int) -> str | None:
        page: str | None = self._link.step("find_page", name, now_ms)
        return page
