"""gunicorn's threaded worker, and how it leaves: nobody who has connected is reset."""

from __future__ import annotations

from gunicorn.workers.gthread import ThreadWorker


class LeavingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's own stops accepting when it is told to stop, and keeps the socket open until its last request is
    done: meanwhile the kernel goes on taking connections, and resets all of them at the end."""

    def set_accept_enabled(self, enabled: bool) -> None:
        """gunicorn calls it with False when it stops, and when it has all the connections that it may have."""
        if not self.alive:
            self._take_who_is_there()
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                # The other workers and the supervisor may hold it still: then it stays open for them.
                listener.close()

    def _take_who_is_there(self) -> None:
        for listener in self.sockets:
            before = -1
            while before != self.nr_conns:
                before = self.nr_conns
                self.accept(listener)
