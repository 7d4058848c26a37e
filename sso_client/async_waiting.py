"""How the SDK waits under an event loop: store steps and hooks in threads, so that a busy disk stops nobody else."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from sso_client.waiting import Lock

_P = ParamSpec("_P")
_T = TypeVar("_T")
_THREADS = 16


class AnyioWaiting:
    """For asyncio and trio. One object may serve several event loops, one after another or side by side."""

    def __init__(self) -> None:
        self._limiters: dict[object, anyio.CapacityLimiter] = {}

    async def step(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        # Threads of our own: the application's shared ones may all be waiting for this very step.
        return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=self._limiter())

    async def pause(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    def lock(self) -> Lock:
        return _AnyioLock()

    def _limiter(self) -> anyio.CapacityLimiter:
        loop = anyio.lowlevel.current_token()
        limiter = self._limiters.get(loop)
        if limiter is None:
            self._limiters.clear()  # a loop that has gone must not be kept alive by us
            limiter = self._limiters[loop] = anyio.CapacityLimiter(_THREADS)
        return limiter


class _AnyioLock:
    def __init__(self) -> None:
        self._lock = anyio.Lock()

    async def acquire(self, timeout_s: float | None = None) -> bool:
        with anyio.move_on_after(timeout_s):
            await self._lock.acquire()
            return True
        return False

    def release(self) -> None:
        self._lock.release()
