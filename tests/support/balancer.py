"""A load balancer on 127.0.0.1: each request goes to the next host, or where the test says. It notes who answered."""

import http.client
import itertools
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_OF_ONE_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass
class Balancer:
    """`ports` are the hosts'. `pinned` maps the beginning of a path to the only host that gets such requests."""

    port: int
    ports: tuple[int, ...]
    pinned: dict[str, int] = field(default_factory=dict)
    answered: list[tuple[str, int, int]] = field(default_factory=list)  # path, port of the host, status

    def __post_init__(self) -> None:
        turns, balancer = itertools.cycle(self.ports), self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path = self.path.partition("?")[0]
                port = next((port for begin, port in balancer.pinned.items() if path.startswith(begin)), None)
                port = port or next(turns)
                asking = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                asking.request(self.command, self.path, body, dict(self.headers))
                answer = asking.getresponse()
                content = answer.read()
                asking.close()
                balancer.answered.append((path, port, answer.status))
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in _OF_ONE_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815  # the library's own name

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's own name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
