"""How the SDK waits: for a step of the local store, for time, for its turn. Blocking here; under an event loop it is
`async_waiting`.
"""

import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, Protocol, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Lock(Protocol):
    """One at a time, within one process."""

    async def acquire(self, timeout_s: float | None = None) -> bool:
        """Wait for it; False if `timeout_s` passed first."""

    def release(self) -> None: ...


class Waiting(Protocol):
    """What the SDK's coroutines need of the world besides the centre."""

    async def step(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run something that may block for a moment: a step of the store, a hook of the site."""

    async def whole(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do all of something even if whoever waits for it is cancelled meanwhile: what it holds must be given back."""

    async def pause(self, seconds: float) -> None:
        """Let time pass."""

    def lock(self) -> Lock:
        """A new lock."""


class BlockingWaiting:
    """For sites whose workers are threads or processes: everything happens at once, on the caller's thread."""

    async def step(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return work(*args, **kwargs)

    async def whole(self, work: Coroutine[Any, Any, _T]) -> _T:
        return await work

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - nobody else waits on this thread

    def lock(self) -> Lock:
        return _ThreadLock()


class _ThreadLock:
    def __init__(self) -> None:
        self._lock = threading.Lock()

    async def acquire(self, timeout_s: float | None = None) -> bool:
        return self._lock.acquire(timeout=-1 if timeout_s is None else max(0.0, timeout_s))

    def release(self) -> None:
        self._lock.release()
