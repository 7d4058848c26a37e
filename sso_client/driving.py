"""How a blocking site runs the SDK's coroutines: to their end, without an event loop.

The SDK's rules are written once, as `async def`. Where the parts that touch the world block (`waiting.BlockingWaiting`,
`http.Http`), no coroutine ever suspends, so the first step of each is also its last.
"""

from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import Any, TypeVar

_T = TypeVar("_T")


def drive(work: Coroutine[Any, Any, _T]) -> _T:
    """The result of a coroutine that doesn't suspend; its exceptions are raised as they are.

    Raises RuntimeError if it does suspend: something in it waits for an event loop that isn't there.
    """
    try:
        work.send(None)
    except StopIteration as done:
        result: _T = done.value
        return result
    work.close()
    raise RuntimeError("an asynchronous part can't be waited for here: use AsyncSSOClient under an event loop")


def drive_each(parts: AsyncGenerator[str, None]) -> Iterator[bytes]:
    """What a stream yields, as the body of a blocking server; whoever closes it, closes the stream."""

    async def step() -> str | None:
        return await anext(parts, None)

    async def close() -> None:
        await parts.aclose()

    try:
        while (part := drive(step())) is not None:
            yield part.encode()
    finally:
        drive(close())
