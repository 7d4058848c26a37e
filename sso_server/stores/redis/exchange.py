"""One exchange with one or several servers: written to all before anything is read, so that it takes as long as the
slowest of them, not as long as all together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from redis.exceptions import RedisError

from sso_server.core.errors import Unavailable
from sso_server.stores.redis.line import Line
from sso_server.stores.redis.servers import Fence, Server
from sso_server.stores.redis.wire import Words


class ServerFailed(Exception):
    """One of them couldn't be asked or didn't answer; `cause` says why."""

    def __init__(self, server: Server, cause: Exception) -> None:
        super().__init__(server.name)
        self.server = server
        self.cause = cause


def ask(server: Server, commands: Sequence[Words], fence: Fence | None) -> list[Any]:
    """The same with one server: what nearly every call is, without the book-keeping of several (8 us)."""
    try:
        line = server.take(fence)
    except (RedisError, OSError, Unavailable) as error:
        raise ServerFailed(server, error) from error
    try:
        answers = line.ask(commands)
    except (RedisError, OSError) as error:
        server.drop(line)
        raise ServerFailed(server, error) from error
    except BaseException:
        # Whoever interrupts us leaves answers unread.
        server.drop(line)
        raise
    server.give_back(line)
    return answers


def exchange(batches: Mapping[Server, Sequence[Words]], fence: Fence | None) -> dict[Server, list[Any]]:
    """The answers of each server to its commands, in their order, errors among them. Raises ServerFailed when one has
    not answered; the others may have done their part."""
    lines: dict[Server, Line] = {}
    answers: dict[Server, list[Any]] = {}
    failed: ServerFailed | None = None
    try:
        # In one order for everybody: two threads never wait for each other's lines.
        for server in sorted(batches, key=lambda s: s.name):
            try:
                lines[server] = server.take(fence)
            except (RedisError, OSError, Unavailable) as error:
                _give_back(lines)
                raise ServerFailed(server, error) from error
        asked = []
        for server, commands in ((server, batches[server]) for server in list(lines)):
            failed = _try(lines, server, partial(Line.write, commands=commands))
            if failed is not None:
                # It can't be whole any more: what isn't asked yet is not asked.
                break
            asked.append(server)
        # The answers of those that were asked are read even then: their lines are good.
        for server in asked:
            failed = _try(lines, server, partial(_read, len(batches[server]), answers, server)) or failed
        _give_back(lines)
    except BaseException:
        # Whoever interrupts us leaves answers unread.
        for server, line in lines.items():
            server.drop(line)
        raise
    if failed is not None:
        raise failed
    return answers


def _try(lines: dict[Server, Line], server: Server, act: Callable[[Line], None]) -> ServerFailed | None:
    try:
        act(lines[server])
    except (RedisError, OSError) as error:
        server.drop(lines.pop(server))
        return ServerFailed(server, error)
    return None


def _read(count: int, answers: dict[Server, list[Any]], server: Server, line: Line) -> None:
    answers[server] = line.read(count)


def _give_back(lines: dict[Server, Line]) -> None:
    while lines:
        server, line = lines.popitem()
        server.give_back(line)
