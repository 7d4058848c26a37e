"""How the SDK waits under an event loop: store steps and hooks in threads, so that a busy disk stops nobody else."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from sso_client.waiting import Lock

_P = ParamSpec("_P")
_T = TypeVar("_T")
_THREADS = 16


class AnyioWaiting:
    """For asyncio. One object may serve several event loops, one after another or side by side."""

    def __init__(self) -> None:
        self._limiters: RunVar[anyio.CapacityLimiter] = RunVar("threads for steps")
        self._under_way: set[asyncio.Task[Any]] = set()

    async def step(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        # Threads of our own: the application's shared ones may all be waiting for this very step.
        return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=self._limiter())

    async def whole(self, work: Coroutine[Any, Any, _T]) -> _T:
        # A task of its own: a shielded scope would still be left by `task.cancel()`, which is what time-outs and
        # servers use. The set keeps it alive when nobody waits for it any more.
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def pause(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    def lock(self) -> Lock:
        return _LoopLock()

    def _limiter(self) -> anyio.CapacityLimiter:
        limiter = self._limiters.get(None)
        if limiter is None:
            limiter = anyio.CapacityLimiter(_THREADS)
            self._limiters.set(limiter)
        return limiter


class _LoopLock:
    """One at a time within each event loop: a loop can't be woken by another one's release."""

    def __init__(self) -> None:
        self._locks: RunVar[anyio.Lock] = RunVar("lock")

    async def acquire(self, timeout_s: float | None = None) -> bool:
        with anyio.move_on_after(timeout_s):
            await self._lock().acquire()
            return True
        return False

    def release(self) -> None:
        self._lock().release()

    def _lock(self) -> anyio.Lock:
        lock = self._locks.get(None)
        if lock is None:
            lock = anyio.Lock()
            self._locks.set(lock)
        return lock
