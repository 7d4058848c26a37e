"""The least that telling sites takes: one signature and one POST on a kept connection each. Nothing is claimed before,
nothing is recorded after.

As a program it is D's floor, a loop in one process: `KEY_FILE ALGORITHM PEOPLE URL...` -> seconds, and seconds of
processor time.
"""

from __future__ import annotations

import base64
import itertools
import json
import queue
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_EVENTS = {"http://schemas.openid.net/event/backchannel-logout": {}}
_LONGEST_S = 5.0


class Signing:
    """One key: the header is put together once, and PyJWT is asked for the signature alone."""

    def __init__(self, key_file: Path, algorithm: str, kind: str) -> None:
        self.key: Any = load_pem_private_key(key_file.read_bytes(), password=None)
        self._algorithm = jwt.get_algorithm_by_name(algorithm)
        self._head = _b64(json.dumps({"alg": algorithm, "kid": "key", "typ": kind}).encode()) + b"."

    def signed(self, claims: Mapping[str, Any]) -> str:
        """A compact JWS."""
        text = self._head + _b64(json.dumps(claims, separators=(",", ":")).encode())
        return (text + b"." + _b64(self._algorithm.sign(text, self.key))).decode()

    def published(self) -> dict[str, Any]:
        """As a JWKS."""
        return {"keys": [{**self._algorithm.to_jwk(self.key.public_key(), as_dict=True), "kid": "key"}]}


class Telling:
    """Sites at these addresses, each with the connections to it that nobody uses now."""

    def __init__(self, signing: Signing, urls: Sequence[str]) -> None:
        self._signing = signing
        self._ports = [urlsplit(url).port or 80 for url in urls]
        self._idle: list[queue.SimpleQueue[socket.socket]] = [queue.SimpleQueue() for _ in urls]
        self._numbers = itertools.count()

    def tell(self, site: int, sid: str) -> None:
        """One of them (from 0 on), until it has answered. Raises OSError; AssertionError for anything but 200."""
        now = int(time.time())
        claims = {"iss": "floor", "aud": f"site{site + 1}", "iat": now, "exp": now + 120, "sub": "user", "sid": sid}
        token = self._signing.signed({**claims, "jti": str(next(self._numbers)), "events": _EVENTS})
        body = f"logout_token={token}"
        head = "POST /logout HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        try:
            connection = self._idle[site].get_nowait()
        except queue.Empty:
            connection = socket.create_connection(("127.0.0.1", self._ports[site]), timeout=_LONGEST_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        # The sites of a measurement answer in one piece and without a body.
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert answer.endswith(b"\r\n\r\n"), answer
        self._idle[site].put(connection)


def _b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def main(key_file: str, algorithm: str, people: int, urls: Sequence[str]) -> None:
    """Everybody's sites, one after the other; the first person is told before the clocks run."""
    telling = Telling(Signing(Path(key_file), algorithm, "logout+jwt"), urls)
    for person in range(people + 1):
        if person == 1:
            begun, before = time.monotonic(), time.process_time()
        for site in range(len(urls)):
            telling.tell(site, f"sid-{person}")
    print(time.monotonic() - begun, time.process_time() - before)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
