"""A node whose clock is off neither sweeps nor answers check-ins."""

import pytest

from sso_server.core.clock_guard import ClockGuard


class Clock:
    def __init__(self, now: int) -> None:
        self.at = now

    def now(self) -> int:
        return self.at


class Health:
    def __init__(self, clock: Clock) -> None:
        self.clock, self.ahead, self.looks = clock, 0, 0

    def store_time(self) -> int:
        self.looks += 1
        return self.clock.at + self.ahead

    def problems(self) -> list[str]:
        return []


@pytest.mark.parametrize(("ahead", "right"), [(0, True), (1900, True), (-1900, True), (2100, False), (-2100, False)])
def test_two_seconds_are_the_limit_either_way(ahead: int, right: bool) -> None:
    health = Health(Clock(1_000_000))
    health.ahead = ahead
    assert ClockGuard(health, health.clock).is_right() is right


def test_the_store_is_asked_every_few_seconds_and_when_the_clock_was_set_back() -> None:
    clock = Clock(1_000_000)
    health = Health(clock)
    guard = ClockGuard(health, clock)
    assert all(guard.is_right() for _ in range(10))
    assert health.looks == 1
    clock.at += 5_000
    health.ahead = 86_400_000
    assert guard.is_right() is False
    clock.at -= 60_000
    health.ahead = 0
    assert guard.is_right() is True
