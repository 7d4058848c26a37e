"""Mass ends in small batches with pauses: a store has one write lock, and a person who signs out wants it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep

_SHORTEST_S = 0.002


def in_batches(
    batch: Callable[[], int],
    *,
    enough: Callable[[int], bool] = bool,
    at_most_s: float = float("inf"),
    rest: Callable[[float], object] = sleep,
) -> tuple[int, bool]:
    """Run `batch` again as long as what it returns is `enough` for another; after each, rest as long as it took.

    SQLite makes who waits for its lock ask again after ever longer pauses, and whoever comes first has it: a writer
    that never rests keeps the others out for seconds. Half of the time free, they come in at their second or third
    try. The answer: the sum of what the batches returned, and whether there is more to do after `at_most_s` seconds.
    """
    begun = monotonic()
    total = 0
    while True:
        before = monotonic()
        count = batch()
        total += count
        if not enough(count):
            return total, False
        if monotonic() - begun >= at_most_s:
            return total, True
        rest(max(_SHORTEST_S, monotonic() - before))
