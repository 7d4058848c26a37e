"""One test for both clients: the async one is driven from a test that knows nothing of event loops."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from sso_client import AsyncSSOClient, LocalStore, Settings, SSOClient
from sso_client.clock import Clock

KINDS = ("blocking", "async")


class InLoop:
    """The verbs of an AsyncSSOClient, each run to its end in an event loop that goes on until the test is over."""

    def __init__(self, core: AsyncSSOClient, portal: BlockingPortal) -> None:
        self._core, self._portal = core, portal

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._core, name)
        if not inspect.iscoroutinefunction(member):
            return member
        return lambda *args, **kwargs: self._portal.call(partial(member, *args, **kwargs))


@contextmanager
def running_client(kind: str, settings: Settings, store: LocalStore, clock: Clock) -> Iterator[Any]:
    """A client of this kind; closed with its store at the end."""
    if kind == "blocking":
        client = SSOClient(settings, store, clock=clock)
        yield client
        client.close()
        return
    with start_blocking_portal() as portal:
        core = AsyncSSOClient(settings, store, clock=clock)
        yield InLoop(core, portal)
        portal.call(core.close)
