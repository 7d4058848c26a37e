"""Request bodies that the server cannot make sense of: the caller's fault, and said so, not an error of ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import BadRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class ReadableBodies:
    """WSGI middleware: whatever the server raises over a body's framing while it is read becomes 400."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI."""
        environ["wsgi.input"] = _Body(environ["wsgi.input"])
        return self._app(environ, start_response)


class _Body:
    """As much of a stream as werkzeug reads by. OSError and ValueError are its own: the caller has hung up."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        try:
            data: bytes = self._stream.read(size) if size >= 0 else self._stream.read()
        except (OSError, ValueError):
            raise
        except Exception as error:
            # RFC 9112 section 7.1: chunks that aren't any. The server's own words quote them: not into our log.
            raise BadRequest("The body is not what its head says.") from error
        return data
