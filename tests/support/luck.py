"""A race that catches a faulty part does so by luck, and less often on a busy machine: it goes on until it has."""

import time
from collections.abc import Callable


def until_caught(attempt: Callable[[], object], *, seconds: float = 30.0) -> bool:
    """Repeat until an attempt tells of something, for so long at most; False if none did."""
    deadline = time.monotonic() + seconds
    while not attempt():
        if time.monotonic() > deadline:
            return False
    return True
