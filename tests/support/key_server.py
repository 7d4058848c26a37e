"""Where a client keeps a document of its own: an HTTP server on 127.0.0.1 that gives what the test says."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class KeyServer:
    """`body`, `status` and `headers` may be changed at any time; `asked` counts. `held` keeps answers back."""

    def __init__(self, body: str = "", *, content_type: str = "application/json") -> None:
        self.body, self.status, self.asked = body, 200, 0
        self.headers = {"Content-Type": content_type}
        self.held = threading.Event()
        self.held.set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked += 1
                server.accept = self.headers.get("Accept", "")
                server.held.wait(30)
                content = server.body.encode()
                self.send_response(server.status)
                for name, value in {"Content-Length": str(len(content)), **server.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self.accept = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/keys"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.held.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
