"""What one call may leave for the next: a connection to the same site, and nothing else."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sso_server.core.notifications import Answer
from sso_server.delivery.resolver import Resolver
from sso_server.delivery.sender import GuardedSender
from tests.support.certificates import make_authority
from tests.support.sinks import Sink

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def sender() -> Iterator[GuardedSender]:
    """Every name means this machine."""
    made = GuardedSender(allow_loopback=True, resolver=Resolver(lambda _: ["127.0.0.1"]))
    yield made
    made.close()


def test_two_sites_at_one_address_never_share_a_connection(sender: GuardedSender) -> None:
    with Sink("ok") as sink:
        for host in ("shop.example", "wiki.example", "127.0.0.1", "shop.example", "wiki.example"):
            assert sender.send(f"http://{host}:{sink.port}/", b"", {}) == Answer(200)
        assert sink.connections == 3
        assert [request.headers["host"].split(":")[0] for request in sink.inbox] == [
            "shop.example", "wiki.example", "127.0.0.1", "shop.example", "wiki.example",
        ]  # fmt: skip


def test_a_certificate_of_one_site_opens_no_connection_for_another(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    sender = GuardedSender(allow_loopback=True, resolver=Resolver(lambda _: ["127.0.0.1"]), ca_file=authority.ca_file)
    with Sink("ok", tls=authority.context("shop.example")) as sink:
        assert sender.send(f"https://shop.example:{sink.port}/", b"", {}) == Answer(200)
        assert sender.send(f"https://wiki.example:{sink.port}/", b"", {}) == Answer(None, "tls")
        assert sender.send(f"http://shop.example:{sink.port}/", b"", {}).status is None
        assert [request.headers["host"].split(":")[0] for request in sink.inbox] == ["shop.example"]
    sender.close()


def test_a_kept_connection_is_no_pass_once_the_name_means_something_else() -> None:
    means = ["127.0.0.1"]
    sender = GuardedSender(allow_loopback=True, resolver=Resolver(lambda _: means, keep_s=0))
    with Sink("ok") as sink:
        url = f"http://shop.example:{sink.port}/"
        assert sender.send(url, b"", {}) == Answer(200)
        means[:] = ["127.0.0.1", "10.0.0.1"]
        assert sender.send(url, b"", {}) == Answer(None, "address_forbidden")
        assert sink.count == 1
    sender.close()


def test_an_answer_that_comes_late_is_not_taken_for_the_next_one(sender: GuardedSender) -> None:
    """103 now, and the real answer to the first call only when the second is asked: 200, for what it failed to do."""

    def hint_then_answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        connection.settimeout(10)
        connection.recv(65_536)  # the second call, if it came on this connection
        connection.sendall(OK)

    with Sink(hint_then_answer, "500") as sink:
        assert sender.send(sink.url, b"", {}) == Answer(None, "protocol")
        assert sender.send(sink.url, b"", {}) == Answer(500)
        assert sink.connections == 2


def test_an_answer_in_advance_is_not_taken_for_the_next_one(sender: GuardedSender) -> None:
    def twice(connection: socket.socket) -> None:
        connection.sendall(OK + OK)
        connection.settimeout(10)
        connection.recv(65_536)

    with Sink(twice, "500") as sink:
        assert sender.send(sink.url, b"", {}) == Answer(200)
        assert sender.send(sink.url, b"", {}).status == 500


def test_no_cookie_is_kept_and_no_credential_is_ever_sent(
    sender: GuardedSender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login alice password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    answer = {"Set-Cookie": "sid=1; Path=/; Max-Age=9999", "WWW-Authenticate": "Basic realm=x"}
    with Sink("401", "ok", headers=answer) as sink:
        for _ in range(2):
            sender.send(sink.url, b"logout_token=x", {"Content-Type": "application/x-www-form-urlencoded"})
        assert len(sink.inbox) == 2
        for request in sink.inbox:
            assert request.headers.keys() <= {"host", "accept-encoding", "content-length", "content-type", "user-agent"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Lockstep-Store": "st-a\r\nX-Injected: 1"},
        {"Lockstep-Store": "st-a\nX-Injected: 1"},
        {"Lockstep-Store": "st-a\rX-Injected: 1"},
        {"Lockstep-Store\r\nX-Injected": "1"},
        {"Lockstep-Store: a\nX-Injected": "1"},
    ],
)
def test_a_header_with_a_line_break_is_never_sent(sender: GuardedSender, headers: dict[str, str]) -> None:
    with Sink("ok") as sink:
        assert sender.send(sink.url, b"logout_token=x", headers) == Answer(None, "protocol")
        assert sink.count == 0


@pytest.mark.parametrize("path", ["/a%0d%0aX-Injected:%201", "/a?b=%0aX", "/%00", "/..;/admin", "/a//b"])
def test_a_path_goes_out_as_it_is_registered(sender: GuardedSender, path: str) -> None:
    with Sink("ok") as sink:
        assert sender.send(f"http://127.0.0.1:{sink.port}{path}", b"", {}) == Answer(200)
        assert sink.inbox[0].line == f"POST {path} HTTP/1.1"
        assert "x-injected" not in sink.inbox[0].headers
