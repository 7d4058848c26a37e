"""A wire that can be cut: a TCP forwarder on 127.0.0.1. Nobody needs rights for it that an ordinary person lacks.

Cut silently (`hole`), nothing gets through and nobody is told, as when packets are lost; cut loudly (`refuse`), new
connections are closed at once and old ones broken.
"""

import asyncio
import contextlib
import threading

from tests.support.ports import free_port


class Forwarder:
    """Forwards one port of 127.0.0.1 to another."""

    def __init__(self, wires: "Wires", target: int) -> None:
        self.port = free_port()
        self._target = target
        self._loop = wires.loop
        self._mode = "open"
        self.swallowed = 0
        """Connections that came to nothing, and pieces that got lost, because the wire was cut."""
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter | None]] = set()
        self._mended = asyncio.Event()
        wires.all.append(self)
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def cut(self, how: str) -> None:
        """`hole` or `refuse`; returns when nothing gets through any more."""
        asyncio.run_coroutine_threadsafe(self._set(how), self._loop).result(10)

    def mend(self) -> None:
        """New connections go through. Old ones are broken by now, as after a real outage."""
        asyncio.run_coroutine_threadsafe(self._set("open"), self._loop).result(10)

    async def close(self) -> None:
        """In the wires' thread: nothing is forwarded any more."""
        self._server.close()
        await self._set("closed")

    async def _set(self, mode: str) -> None:
        self._mode = mode
        if mode != "hole":
            for near, far in list(self._pairs):
                near.transport.abort()
                if far is not None:
                    far.transport.abort()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=256)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode == "refuse":
            self.swallowed += 1
            writer.transport.abort()
            return
        far: asyncio.StreamWriter | None = None
        pair = (writer, far)
        try:
            if self._mode == "hole":
                self.swallowed += 1
                self._pairs.add(pair)
                while await reader.read(65536):
                    pass
                return
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
            pair = (writer, far)
            self._pairs.add(pair)
            there = asyncio.create_task(self._pump(reader, far))
            await self._pump(far_reader, writer)
            there.cancel()
        except OSError:
            pass
        finally:
            self._pairs.discard(pair)
            for end in (writer, far):
                if end is not None:
                    with contextlib.suppress(Exception):
                        end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self._mode == "hole":
                    self.swallowed += 1
                    continue
                writer.write(data)
                await writer.drain()
            writer.close()


class Wires:
    """The thread in which all forwarders of a run live."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.all: list[Forwarder] = []
        self._thread = threading.Thread(target=self.loop.run_forever, name="wires", daemon=True)
        self._thread.start()

    def close(self) -> None:
        async def end() -> None:
            for forwarder in self.all:
                await forwarder.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()
