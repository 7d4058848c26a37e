"""Starlette's requests and responses as the SDK's, and back; what is noted of a request on its way."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import cast

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketState

from sso_client.bearer import Bearer
from sso_client.cookies import read_cookies
from sso_client.records import LocalSession
from sso_client.signed_token import MAX_TOKEN
from sso_client.web import SetCookie, WebAnswer, WebRequest

_KEY = "sso_client"
_POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1


@dataclass(slots=True)
class Note:
    """What is known of one request. `root_path` is where the application is mounted that the routes belong to."""

    root_path: str
    found: tuple[LocalSession | None] | None = None
    bearer: Bearer | None = None
    guarded: bool = False
    gone: SetCookie | None = None


class Marked:
    """Takes a note of each request, and sends the headers of guarded pages: each belongs to one person."""

    def __init__(self, app: ASGIApp, owner: Hashable) -> None:
        self._app = app
        self._owner = owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        notes = scope.setdefault(_KEY, {}) if scope["type"] in ("http", "websocket") else None
        if notes is None or self._owner in notes:  # an application below has the note of the one that has the routes
            await self._app(scope, receive, send)
            return
        # Now, because below a `Mount` of its own `root_path` says more than where the application is.
        note = notes[self._owner] = Note(str(scope.get("root_path", "")).rstrip("/"))

        async def send_private(message: Message) -> None:
            if message["type"] == "http.response.start" and note.guarded:
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                headers.add_vary_header("Cookie")
            if message["type"] == "http.response.start" and note.gone is not None:
                MutableHeaders(scope=message).append("Set-Cookie", note.gone.header())
            await send(message)

        await self._app(scope, receive, send_private)


def note_of(connection: HTTPConnection, owner: Hashable) -> Note:
    """The note of a request. Raises RuntimeError where `mount` was forgotten."""
    try:
        return cast(Note, connection.scope[_KEY][owner])
    except KeyError:
        raise RuntimeError("this application has no SSO: call sso.mount(app)") from None


def read_request(connection: HTTPConnection, root: str, body: bytes = b"") -> WebRequest:
    """The request under way; a websocket's asks as a program, which no redirect helps."""
    scope = connection.scope
    path, cookies = str(scope["path"]), "; ".join(connection.headers.getlist("cookie"))
    if root and (path == root or path.startswith(root + "/")):
        path = path[len(root) :]
    headers: dict[str, str] = {}
    for name, value in connection.headers.items():
        # As servers for WSGI do: of two words for one thing nobody may choose which is heard.
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    if scope["type"] == "websocket":
        headers["accept"] = "application/json"
    return WebRequest(
        method=scope.get("method", "GET"),
        scheme="https" if scope["scheme"] in ("https", "wss") else "http",
        host=headers.get("host") or connection.url.netloc,
        path=path or "/",
        root_path=root,
        query_string=scope["query_string"],
        headers=headers,
        cookies=read_cookies(cookies),
        remote_addr=connection.client.host if connection.client else "",
        body=body,
        may_wait=True,
    )


async def read_body(request: Request) -> bytes:
    """Our own routes take forms of at most one token's size."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_TOKEN:
            break
    return body[: MAX_TOKEN + 1]


def to_response(answer: WebAnswer) -> Response:
    """An answer of ours."""
    headers = dict(answer.headers)
    response = (
        Response(answer.body, answer.status, headers)
        if answer.stream is None
        else StreamingResponse(answer.stream, answer.status, headers)
    )
    for cookie in answer.cookies:
        response.headers.append("Set-Cookie", cookie.header())
    return response


async def refuse(connection: HTTPConnection, answer: WebAnswer) -> Response | None:
    """The answer instead of the endpoint's. A websocket that can't be given one (ASGI's extension) is closed."""
    if isinstance(connection, WebSocket):
        may_answer = "websocket.http.response" in (connection.scope.get("extensions") or {})
        if connection.application_state is not WebSocketState.CONNECTING or not may_answer:
            await connection.close(_POLICY_VIOLATION)
            return None
    return to_response(answer)
