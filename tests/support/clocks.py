"""A clock that stands still until a test moves it, and a store that goes by such a clock."""

from typing import Any

from sso_server.core.errors import Unavailable


class SetClock:
    """`ports.Clock`, in ms."""

    def __init__(self, now: int = 1_800_000_000_000) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def pass_ms(self, ms: int) -> None:
        self._now += ms


class StoreClock:
    """`ports.StoreHealth` of a store whose clock is off by so much."""

    def __init__(self, clock: Any, off_ms: int = 0) -> None:
        self.clock = clock
        self.off_ms = off_ms
        self.away = False

    def store_time(self) -> int:
        if self.away:
            raise Unavailable
        now: int = self.clock.now() + self.off_ms
        return now

    def problems(self) -> list[str]:
        return []
