"""Named points: a process that passes one which is armed kills itself there with SIGKILL, once.

A point is armed by a file, and taken by whoever removes it: so exactly one process dies, whichever comes first.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Points:
    """The armed points of one run."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.armed: list[str] = []

    def prepare(self) -> None:
        """Nothing is armed yet."""
        self._directory.mkdir(parents=True, exist_ok=True)

    def arm(self, name: str) -> None:
        """The next process to come by dies. Armed twice before anybody came by, it is one death all the same."""
        if not self.is_armed(name):
            (self._directory / name).touch()
            self.armed.append(name)

    def disarm_all(self) -> list[str]:
        """Names that nobody passed."""
        left = sorted(path.name for path in self._directory.iterdir())
        for name in left:
            (self._directory / name).unlink(missing_ok=True)
        return left

    def is_armed(self, name: str) -> bool:
        """Nobody has come by yet."""
        return (self._directory / name).exists()

    def passed(self, name: str) -> None:
        """The process is at this point now."""
        try:
            (self._directory / name).unlink()
        except OSError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


#: Called with the arguments before, and with the result and the arguments after.
Before = Callable[..., None]
After = Callable[..., None]


class Watched:
    """An object whose methods can be watched: everything else goes through untouched."""

    def __init__(
        self,
        inner: Any,
        before: dict[str, Before] | None = None,
        after: dict[str, After] | None = None,
        instead: dict[str, Callable[..., Any]] | None = None,
    ) -> None:
        self._inner = inner
        self._before = before or {}
        self._after = after or {}
        self._instead = instead or {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._before and name not in self._after and name not in self._instead:
            return found
        before, after, act = self._before.get(name), self._after.get(name), self._instead.get(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if before is not None:
                before(*args, **kwargs)
            result = act(found, *args, **kwargs) if act is not None else found(*args, **kwargs)
            if after is not None:
                after(result, *args, **kwargs)
            return result

        return call
