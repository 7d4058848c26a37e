"""The SDK's calls, blocking and under an event loop, against peers that are slow, large, sly or not who they say."""

import gzip
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from sso_client import SSOError
from sso_client.async_http import AsyncHttp
from sso_client.driving import drive
from sso_client.http import MAX_BODY, Answer, Http
from tests.support.both_clients import KINDS
from tests.support.certificates import make_authority
from tests.support.fake_provider import FakeProvider
from tests.support.forks import Forked
from tests.support.ports import free_port

PATH = "/.well-known/openid-configuration"
Get = Callable[..., Answer]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def running(kind: str, ca_file: str | None = None) -> Iterator[Get]:
    """The verb `get` of a client of this kind."""
    if kind == "blocking":
        http = Http(ca_file)
        yield lambda url, **options: drive(http.get(url, **options))
        drive(http.close())
        return
    with start_blocking_portal() as portal:
        loop_http = AsyncHttp(ca_file)
        yield lambda url, **options: portal.call(partial(loop_http.get, url, **options))
        portal.call(loop_http.close)


@pytest.fixture
def get(kind: str) -> Iterator[Get]:
    with running(kind) as made:
        yield made


class Peer:
    """Sends these bytes to whoever connects, and hangs up; without bytes it only listens. `heard` is what came in."""

    def __init__(self, *parts: bytes, tls: Any = None) -> None:
        self.heard: list[bytes] = []
        self._parts, self._tls = parts, tls
        self._is_over = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._serving = threading.Thread(target=self._serve, daemon=True)
        self._serving.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
                self.heard.append(connection.recv(65536))
                for part in self._parts:
                    connection.sendall(part)
                if self._parts:
                    connection.close()
            except OSError:
                if self._is_over:
                    return

    def close(self) -> None:
        self._is_over = True
        self._listener.shutdown(socket.SHUT_RDWR)
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        # Their numbers are others' as soon as they are closed: nobody may be about to use them.
        self._serving.join(30)
        for each in (self._listener, *self._open):
            each.close()


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    made: list[Peer] = []

    def make(*parts: bytes, tls: Any = None) -> Peer:
        made.append(Peer(*parts, tls=tls))
        return made[-1]

    yield make
    for each in made:
        each.close()


def answer(body: bytes, *headers: str, length: int | None = None) -> bytes:
    told = [f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(["HTTP/1.1 200 OK", *told, "", ""]).encode() + body


def refusal(get: Get, url: str, **options: Any) -> str:
    """The SSOError's detail; it is one of no answer."""
    with pytest.raises(SSOError) as error:
        get(url, **options)
    assert (error.value.code, error.value.transient) == ("provider_unreachable", True)
    return error.value.detail


def test_whoever_reads_the_log_learns_what_was_in_the_way(get: Get) -> None:
    assert refusal(get, f"http://127.0.0.1:{free_port()}/", total_s=30.0).endswith(", Connection refused")


@pytest.mark.parametrize("sent", [b"", b"no HTTP at all\r\n\r\n", answer(b"half", length=9)])
def test_what_the_caller_was_about_when_it_called_is_not_what_was_in_the_way(
    sent: bytes, kind: str, peer: Callable[..., Peer]
) -> None:
    url = peer(sent).url

    async def call(client: Http | AsyncHttp) -> str:
        with pytest.raises(SSOError) as error:
            await client.get(url, total_s=30.0)
        await client.close()
        return error.value.detail

    async def call_in_trouble(client: Http | AsyncHttp) -> str:
        try:
            raise FileNotFoundError(2, "No such file or directory: a secret of the site's")
        except OSError:
            return await call(client)

    one, other = [
        drive(each(Http())) if kind == "blocking" else anyio.run(each, AsyncHttp()) for each in (call, call_in_trouble)
    ]
    assert one == other


@pytest.mark.parametrize("fault", ["drip headers", "drip body"])
def test_an_answer_that_drips_in_is_given_up_at_the_deadline(fault: str, get: Get, centre: FakeProvider) -> None:
    centre.failing[PATH] = fault
    started = monotonic()
    refusal(get, centre.issuer + PATH, total_s=0.6)
    assert 0.5 < monotonic() - started < 4
    centre.failing.clear()
    assert get(centre.issuer + PATH, total_s=5.0).status == 200


def test_a_peer_that_never_answers_is_given_up_at_the_deadline(get: Get, peer: Callable[..., Peer]) -> None:
    started = monotonic()
    refusal(get, peer().url, total_s=0.5)
    assert monotonic() - started < 3


@pytest.mark.parametrize("total_s", [0, -3, 1e-9])
def test_a_deadline_that_has_passed_is_no_answer(total_s: float, get: Get, centre: FakeProvider) -> None:
    refusal(get, centre.issuer + PATH, total_s=total_s)
    assert centre.calls(PATH) <= (total_s > 0)


def test_a_peer_that_is_not_there_or_hangs_up_is_no_answer(get: Get, centre: FakeProvider) -> None:
    centre.failing[PATH] = "hang up"
    refusal(get, centre.issuer + PATH)
    centre.down()
    refusal(get, centre.issuer + PATH)


@pytest.mark.parametrize("size", [MAX_BODY, MAX_BODY + 1])
def test_a_body_is_taken_up_to_a_size(size: int, get: Get, peer: Callable[..., Peer]) -> None:
    url = peer(answer(b"x" * size)).url
    if size == MAX_BODY:
        assert len(get(url).body) == size
    else:
        assert "larger than" in refusal(get, url)


def zipped(body: bytes) -> bytes:
    return answer(body, "Content-Encoding: gzip")


def test_a_zipped_body_counts_by_what_comes_out_of_it(get: Get, peer: Callable[..., Peer]) -> None:
    assert get(peer(zipped(gzip.compress(b'{"a": 1}'))).url).json() == {"a": 1}
    bomb = peer(zipped(gzip.compress(b"x" * 64 * MAX_BODY))).url
    tracemalloc.start()
    try:
        assert "larger than" in refusal(get, bomb)
        assert tracemalloc.get_traced_memory()[1] < 16 * MAX_BODY, "no more is unzipped than is taken"
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("lost", [1, 8, 12])
def test_a_zipped_body_without_its_end_is_none_even_if_the_text_is_whole(
    lost: int, get: Get, peer: Callable[..., Peer]
) -> None:
    refusal(get, peer(zipped(gzip.compress(b'{"a": 1}')[:-lost])).url)


def test_a_body_that_is_said_to_be_zipped_and_is_not_is_none(get: Get, peer: Callable[..., Peer]) -> None:
    refusal(get, peer(zipped(b"x" * 40)).url)


def test_half_an_answer_is_none(get: Get, peer: Callable[..., Peer]) -> None:
    refusal(get, peer(answer(b'{"a": 1}', length=20)).url)


def test_a_redirect_is_an_answer_and_not_followed(get: Get, centre: FakeProvider) -> None:
    centre.failing[PATH] = 302
    found = get(centre.issuer + PATH)
    assert (found.status, found.values("location")) == (302, [f"{centre.issuer}/elsewhere"])
    assert centre.calls("/elsewhere") == 0


def test_cookies_of_the_peer_are_not_kept(get: Get, peer: Callable[..., Peer]) -> None:
    sly = peer(answer(b"{}", "Set-Cookie: a=b; Path=/", "Connection: close"))
    for _ in range(2):
        get(sly.url)
    assert [b"cookie" in heard.lower() for heard in sly.heard] == [False, False]


def test_no_proxy_and_no_password_of_the_environment_is_used(
    kind: str, peer: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy, right = peer(answer(b"proxy")), peer(answer(b"right"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with running(kind) as get:
        assert get(right.url).body == b"right"
        refusal(get, "http://nobody.invalid/")
    assert proxy.heard == []
    assert b"authorization" not in right.heard[0].lower()


@pytest.mark.parametrize("fault", ["", "another authority", "another name", "expired"])
def test_a_peer_must_prove_who_it_is(fault: str, kind: str, peer: Callable[..., Peer], tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    ours, theirs = make_authority(tmp_path / "ours"), make_authority(tmp_path / "theirs")
    name = "other.example" if fault == "another name" else "127.0.0.1"
    days = (-9, -1) if fault == "expired" else (-1, 1)
    tls = (theirs if fault == "another authority" else ours).context(name, days=days)
    with running(kind, ours.ca_file) as get:
        url = peer(answer(b"{}"), tls=tls).url
        if fault:
            refusal(get, url, total_s=2.0)
        else:
            assert get(url).status == 200


def test_a_connection_serves_several_calls_each_with_its_own_deadline(get: Get, centre: FakeProvider) -> None:
    centre.failing[PATH] = 1.0
    # The third is under way when the first one's time is over.
    assert [get(centre.issuer + PATH, total_s=total_s).status for total_s in (2.5, 5, 5)] == [200] * 3
    assert len(set(centre.peers)) == 1


def test_a_forked_worker_does_not_talk_on_its_parents_connection(centre: FakeProvider) -> None:
    http = Http()

    def call() -> int:
        return drive(http.get(centre.issuer + PATH)).status

    assert [call(), Forked(call).answer(), call()] == [200] * 3
    first, other, again = centre.peers
    assert first == again != other


def test_one_event_loop_keeps_its_connection_and_another_has_its_own(centre: FakeProvider) -> None:
    http = AsyncHttp()

    async def call_twice() -> None:
        assert [(await http.get(centre.issuer + PATH)).status for _ in range(2)] == [200, 200]
        await http.close()

    anyio.run(call_twice)
    assert len(set(centre.peers)) == 1
    anyio.run(call_twice)
    assert len(set(centre.peers)) == 2
