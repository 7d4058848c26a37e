"""A site's answer as it comes over a connection. The usual one is read here, in one piece: a pooled call takes 50 us of
CPU so, and 170 through urllib3. Whatever is unusual about another is `http.client`'s to understand.

How long and how much may come is the socket's business (`connection`), what it means the sender's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import Any

PIECE = 16 * 1024
# One line of status, headers without folds, line ends as they should be (RFC 9112 sections 4 and 5), nothing interim.
_USUAL = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9]{2})(?: [\t -~\x80-\xff]*)?\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)*)\r\n"
)
_LENGTH = re.compile(r"[0-9]{1,6}")
_BODILESS = (204, 304)

#: Receives into a buffer and says how much; raises what a socket raises.
Receive = Callable[[bytearray], int]


@dataclass(slots=True)
class Reply:
    """Status and headers; the body when it is read. Names of headers are written `Retry-After`; one that came several
    times is a list with commas (RFC 9110 section 5.3)."""

    status: int
    headers: Mapping[str, str]
    _receive: Receive
    _closes: bool
    _length: int = 0
    _begun: bytes = b""
    """Of the body, what came with the head."""
    _unusual: HTTPResponse | None = None
    is_whole: bool = field(default=False, init=False)
    """The body has been read to its end."""
    is_clean: bool = field(default=False, init=False)
    """So has all that came, and the site goes on listening: the next call may use the connection."""

    def read(self, most: int) -> bytes:
        """The body, at most so much of it; once. Raises OSError, HTTPException, ValueError."""
        if self._unusual is not None:
            body = self._unusual.read(most)
            # A length that was announced and not reached leaves a rest; without one it came to an end by itself.
            self.is_whole = len(body) < most and not self._unusual.length
            self.is_clean = self.is_whole and not self._closes
            return body
        body, wanted = self._begun, min(self._length, most)
        while len(body) < wanted:
            buffer = bytearray(PIECE)
            count = self._receive(buffer)
            if not count:
                raise ConnectionResetError("the site hung up in the middle of its answer")
            body += buffer[:count]
        self.is_whole = wanted == self._length < most
        self.is_clean = self.is_whole and not self._closes and len(body) == self._length
        return body[:wanted]


def read_usual(first: bytes, receive: Receive) -> Reply | None:
    """The answer that begins so; None if that isn't a complete head, or one about which there is more to know."""
    found = _USUAL.match(first)
    if found is None:
        return None
    headers: dict[str, str] = {}
    for line in found[2].decode("latin-1").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        _add(headers, name, value.strip())
    status, length = int(found[1]), headers.get("Content-Length", "")
    if "Transfer-Encoding" in headers:
        return None
    if status in _BODILESS:
        length = "0"
    elif not _LENGTH.fullmatch(length):
        return None
    closes = "Connection" in headers and headers["Connection"].lower() != "keep-alive"
    return Reply(status, headers, receive, closes, int(length), first[found.end() :])


def read_unusual(sock: Any, method: str, receive: Receive) -> Reply:
    """Any other answer. Raises OSError, HTTPException, ValueError."""
    response = HTTPResponse(sock, method=method)
    response.begin()
    headers = _joined(response.headers)
    lengths = {part.strip() for part in headers.get("Content-Length", "").split(",")}
    if not response.chunked and len(lengths) > 1:
        # RFC 9112 section 6.3: whoever sees another end of it than we do sees another answer behind it.
        raise HTTPException("two lengths")
    return Reply(response.status, headers, receive, response.will_close, _unusual=response)


def _joined(message: HTTPMessage) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in message.items():
        _add(headers, name, value)
    return headers


def _add(headers: dict[str, str], name: str, value: str) -> None:
    written = name.title()
    headers[written] = f"{headers[written]}, {value}" if written in headers else value
