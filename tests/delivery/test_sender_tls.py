import contextlib
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sso_server.core.notifications import Answer
from sso_server.delivery.resolver import Resolver
from sso_server.delivery.sender import GuardedSender
from tests.support.certificates import Authority, make_authority
from tests.support.sinks import Sink


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)


@pytest.fixture
def sender(authority: Authority) -> Iterator[GuardedSender]:
    here = Resolver(lambda _: ["127.0.0.1"])
    sender = GuardedSender(allow_loopback=True, resolver=here, ca_file=authority.ca_file)
    yield sender
    sender.close()


def test_the_site_s_name_is_sent_and_verified_although_the_address_is_connected_to(
    sender: GuardedSender, authority: Authority
) -> None:
    asked: list[str | None] = []
    context = authority.context("shop.example")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with Sink("ok", tls=context) as sink:
        for _ in range(3):
            assert sender.send(f"https://shop.example:{sink.port}/logout", b"a=b", {}) == Answer(200)
        assert sink.inbox[0].headers["host"] == f"shop.example:{sink.port}"
        assert asked == ["shop.example"]  # one handshake for three calls


def test_a_certificate_for_another_name_is_refused(sender: GuardedSender, authority: Authority) -> None:
    with Sink("ok", tls=authority.context("evil.example")) as sink:
        assert sender.send(f"https://shop.example:{sink.port}/logout", b"", {}) == Answer(None, "tls")
        assert sender.send(f"https://127.0.0.1:{sink.port}/logout", b"", {}) == Answer(None, "tls")
        assert sink.count == 0


def test_an_authority_that_nobody_trusts_is_refused(authority: Authority) -> None:
    stranger = GuardedSender(allow_loopback=True, resolver=Resolver(lambda _: ["127.0.0.1"]))
    with Sink("ok", tls=authority.context("shop.example")) as sink:
        assert stranger.send(f"https://shop.example:{sink.port}/logout", b"", {}) == Answer(None, "tls")
        assert sink.count == 0


def test_a_server_that_speaks_no_tls_or_says_nothing_ends_in_time(sender: GuardedSender) -> None:
    with Sink("noise") as plain, socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(2) as pool:
        begun = time.monotonic()
        ports = (plain.port, silent.getsockname()[1])
        of_plain, of_silent = pool.map(lambda port: sender.send(f"https://shop.example:{port}/logout", b"", {}), ports)
        assert of_plain.error in ("tls", "reset", "timeout")
        assert of_silent == Answer(None, "timeout")
        assert time.monotonic() - begun < 10


def test_a_drip_over_tls_is_cut_off_too(sender: GuardedSender, authority: Authority) -> None:
    with Sink("drip", tls=authority.context("shop.example")) as sink:
        begun = time.monotonic()
        assert sender.send(f"https://shop.example:{sink.port}/logout", b"", {}) == Answer(None, "timeout")
        assert time.monotonic() - begun < 10


@pytest.mark.parametrize("days", [(-30, -1), (1, 30)], ids=["expired", "not yet valid"])
def test_a_certificate_out_of_its_time_is_refused(
    sender: GuardedSender, authority: Authority, days: tuple[float, float]
) -> None:
    with Sink("ok", tls=authority.context("shop.example", days=days)) as sink:
        assert sender.send(f"https://shop.example:{sink.port}/logout", b"", {}) == Answer(None, "tls")
        assert sink.count == 0


def test_a_certificate_for_a_wildcard_above_the_site_is_refused(sender: GuardedSender, authority: Authority) -> None:
    with Sink("ok", tls=authority.context("*.example")) as sink:
        assert sender.send(f"https://a.shop.example:{sink.port}/logout", b"", {}) == Answer(None, "tls")
        assert sink.count == 0


@pytest.mark.covers("oidcc-backchannel-rp-initiated-logout")
def test_an_old_version_of_tls_is_refused(sender: GuardedSender, authority: Authority) -> None:
    context = authority.context("shop.example")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with Sink("ok", tls=context) as sink:
        assert sender.send(f"https://shop.example:{sink.port}/logout", b"", {}).error in ("tls", "reset")
        assert sink.count == 0


def test_a_handshake_that_drips_ends_in_time(sender: GuardedSender) -> None:
    """The first bytes of a server's hello, one by one: each restarts a time-out that counts from the last byte."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with contextlib.suppress(OSError), connection:
                for byte in b"\x16\x03\x03\x40\x00\x02" + b"\x00" * 100:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.2)

        thread = threading.Thread(target=drip)
        thread.start()
        begun = time.monotonic()
        answer = sender.send(f"https://shop.example:{server.getsockname()[1]}/logout", b"", {})
        assert answer.error in ("timeout", "tls", "reset")
        assert time.monotonic() - begun < 10
        thread.join(30)
