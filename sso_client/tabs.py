"""Open pages hear that they are signed out: a script, and a stream of server-sent events that it listens to.

A page without JavaScript loses nothing but the news. What a page shows next is the script's to decide: it asks `/me`.
"""

import hashlib
from collections.abc import AsyncGenerator
from functools import cache
from html import escape
from importlib.resources import files

from sso_client.client import AsyncSSOClient
from sso_client.errors import SSOError
from sso_client.events import log
from sso_client.records import LocalSession
from sso_client.web import WebAnswer, WebRequest

#: How many streams a process keeps open: a thread each, so one is a quarter of gunicorn's usual four; or none at all.
FEW = 1
MANY = 1000
# A stream is short: proxies cut long ones, a worker that stops waits for them, a browser that is gone goes unnoticed.
_LIFE_S = 25
_BEAT_S = 5  # writing is how a server notices that nobody reads any more
_AGAIN_MS = 1000
_AGAIN_WITHOUT_STREAM_MS = 5000


class Tabs:
    """The streams of one process, at most `streams` at a time."""

    def __init__(self, client: AsyncSSOClient, streams: int) -> None:
        self._client = client
        self._free = [None] * streams  # appending and popping are atomic, whatever runs the streams

    def answer(self, request: WebRequest, cookie: str | None) -> WebAnswer:
        """The stream of a page of this site, to anybody else 403."""
        # The cookie is SameSite=Lax and no foreign page could read the stream; but it must not occupy one either.
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return WebAnswer(403, {"Cache-Control": "no-store"})
        headers = {
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-store",
            "Vary": "Cookie",
            "X-Accel-Buffering": "no",  # nginx would hold the news back
        }
        return WebAnswer(200, headers, stream=self._watch(cookie, may_wait=request.may_wait))

    async def _watch(self, cookie: str | None, *, may_wait: bool) -> AsyncGenerator[str, None]:
        """Until the session of the cookie ends, or for a while; without a free stream only as things stand now."""
        try:
            if not may_wait:
                raise IndexError
            self._free.pop()
        except IndexError:
            yield f"retry: {_AGAIN_WITHOUT_STREAM_MS}\n\n"
            if await self._is_over(cookie):
                yield "event: over\ndata:\n\n"
            return
        try:
            yield f"retry: {_AGAIN_MS}\n\n"
            for second in range(1, _LIFE_S + 1):
                if await self._is_over(cookie):
                    yield "event: over\ndata:\n\n"
                    return
                if second % _BEAT_S == 0:
                    yield ":\n\n"
                await self._client.pause(1)
        finally:
            self._free.append(None)

    async def _is_over(self, cookie: str | None) -> bool:
        """True if no session is there any more. Doubt is no end: the page's next request is answered by 503."""
        try:
            return await self._client.find_session(cookie, activity=False) is None
        except SSOError as error:
            log.info("an open page isn't told anything: %s", error)
            return False


def script_tag(url: str, session: LocalSession | None) -> str:
    """HTML. Nobody watches over a page that belongs to nobody."""
    return f'<script src="{escape(url)}" data-sub="{escape(session.sub if session else "")}" defer></script>'


def script_answer(request: WebRequest) -> WebAnswer:
    """The script, or 304 for who has it (RFC 9110 section 13.1.2)."""
    text, tag = _script()
    headers = {"Cache-Control": "public, max-age=3600", "ETag": tag, "X-Content-Type-Options": "nosniff"}
    if tag in request.headers.get("if-none-match", ""):
        return WebAnswer(304, headers)
    return WebAnswer(200, headers | {"Content-Type": "text/javascript; charset=utf-8"}, text)


@cache
def _script() -> tuple[str, str]:
    text = files("sso_client").joinpath("static/tab.js").read_text("utf-8")
    return text, f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
