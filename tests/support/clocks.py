"""A clock that stands still until a test moves it."""


class SetClock:
    """`ports.Clock`, in ms."""

    def __init__(self, now: int = 1_800_000_000_000) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def pass_ms(self, ms: int) -> None:
        self._now += ms
