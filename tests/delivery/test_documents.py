"""Documents of clients: fetched as every call goes out, small, whole, in time, and few at once."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from sso_server.core.errors import Refused
from sso_server.delivery.documents import MOST_AT_ONCE, GuardedDocuments
from sso_server.delivery.resolver import Resolver
from sso_server.delivery.sender import GuardedSender
from tests.support.key_server import KeyServer
from tests.support.sinks import Sink

Fetch = Callable[..., bytes]


@pytest.fixture
def fetch() -> Iterator[Fetch]:
    documents = GuardedDocuments(lambda: GuardedSender(allow_loopback=True))
    yield documents.fetch
    documents.close()


def why(fetch: Fetch, url: str, **more: bool) -> str:
    with pytest.raises(Refused) as raised:
        fetch(url, **more)
    return raised.value.description


def test_a_document_comes_whole_and_the_connection_is_kept(fetch: Fetch) -> None:
    body = '{"keys": []}' + " " * 65_000
    with KeyServer(body) as server:
        assert fetch(server.url) == body.encode()
        assert fetch(server.url) == body.encode()
        server.body = ""
        assert fetch(server.url) == b""
        assert server.asked == 3


@pytest.mark.parametrize("length", [65_536, 65_537, 1_000_000])
def test_one_that_is_too_long_is_refused(fetch: Fetch, length: int) -> None:
    with KeyServer("x" * length) as server:
        assert "too long" in why(fetch, server.url)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 304, 307, 404, 500])
def test_only_200_is_an_answer(fetch: Fetch, status: int) -> None:
    with KeyServer() as elsewhere, KeyServer() as server:
        server.status, server.headers["Location"] = status, elsewhere.url
        assert f"status {status}" in why(fetch, server.url)
        assert elsewhere.asked == 0


def _half(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"keys": [')


def _half_a_chunk(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{"keys": [')


def _packed(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08")


@pytest.mark.parametrize("half", [_half, _half_a_chunk])
def test_one_that_ends_too_early_is_refused(fetch: Fetch, half: Callable[[socket.socket], None]) -> None:
    with Sink(half) as sink:
        assert "incomplete" in why(fetch, sink.url)


def test_nothing_is_unpacked(fetch: Fetch) -> None:
    with Sink(_packed) as sink:
        assert fetch(sink.url) == b"\x1f\x8b\x08"


def test_a_slow_one_is_given_up_within_seconds(fetch: Fetch) -> None:
    with Sink("drip_body") as sink:
        begun = time.monotonic()
        assert why(fetch, sink.url)
        assert time.monotonic() - begun < 25


def test_addresses_are_guarded_as_everywhere() -> None:
    asked: list[str] = []

    def lookup(host: str) -> list[str]:
        asked.append(host)
        return ["10.0.0.7"]

    documents = GuardedDocuments(lambda: GuardedSender(allow_loopback=False, resolver=Resolver(lookup)))
    for url in (
        "http://127.0.0.1/keys",
        "https://169.254.169.254/latest",
        "https://[::ffff:127.0.0.1]/keys",
        "https://keys.example/keys",
        "file:///etc/passwd",
        "https://user@keys.example/",
    ):
        assert "forbidden" in why(documents.fetch, url), url
    assert asked == ["keys.example"]
    documents.close()


def test_few_are_fetched_at_once(fetch: Fetch) -> None:
    with KeyServer("{}") as server:
        server.held.clear()
        came: list[bytes] = []
        threads = [threading.Thread(target=lambda: came.append(fetch(server.url))) for _ in range(MOST_AT_ONCE)]
        for thread in threads:
            thread.start()
        while server.asked < MOST_AT_ONCE:
            time.sleep(0.001)
        assert "Too many" in why(fetch, server.url)
        server.held.set()
        for thread in threads:
            thread.join(30)
        assert came == [b"{}"] * MOST_AT_ONCE
        assert fetch(server.url) == b"{}"
