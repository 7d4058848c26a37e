import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from sso_server.core.notifications import Answer
from sso_server.delivery.resolver import Resolver
from sso_server.delivery.sender import GuardedSender
from tests.support.ports import free_port
from tests.support.sinks import Sink

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
STORE = "st-" + "a" * 32

Send = Callable[..., Answer]


@pytest.fixture
def send() -> Iterator[Send]:
    sender = GuardedSender(allow_loopback=True)
    yield lambda url, **more: sender.send(url, b"logout_token=x", FORM, **more)
    sender.close()


def sender_with(lookup: Callable[[str], list[str]], *, on_loopback: bool = True) -> GuardedSender:
    return GuardedSender(allow_loopback=on_loopback, resolver=Resolver(lookup))


def test_a_post_arrives_whole_and_the_answer_names_the_store(send: Send) -> None:
    with Sink("ok", headers={"Lockstep-Store": STORE}) as sink:
        assert send(sink.url + "?tenant=1") == Answer(200, store_id=STORE)
        request = sink.inbox[0]
    assert request.line == "POST /logout?tenant=1 HTTP/1.1"
    assert request.form == {"logout_token": "x"}
    assert request.headers["host"] == f"127.0.0.1:{sink.port}"
    assert request.headers["content-type"] == FORM["Content-Type"]
    assert request.headers["user-agent"] == "Lockstep"


@pytest.mark.parametrize("status", [200, 204, 302, 400, 404, 500, 503])
def test_a_status_is_handed_on_as_it_is(send: Send, status: int) -> None:
    with Sink(str(status)) as sink:
        assert send(sink.url).status == status


@pytest.mark.covers("line-104")
def test_a_redirect_is_an_answer_and_is_never_followed(send: Send) -> None:
    with Sink("ok") as secret, Sink("redirect", headers={"Location": secret.url}) as sink:
        assert send(sink.url) == Answer(302, elsewhere=True)
        assert secret.connections == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7_000),
        (" 120 ", 120_000),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30_000),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("Fri, 15 Jan 2027 08:00:30 -0000", None),
        ("-5", None),
        ("soon", None),
        ("9" * 5000, 999_999_999_000),
    ],
)
def test_retry_after_comes_as_seconds_or_as_a_date(send: Send, text: str, expected: int | None) -> None:
    with Sink("429", headers={"Retry-After": text, "Date": "Fri, 15 Jan 2027 08:00:00 GMT"}) as sink:
        assert send(sink.url) == Answer(429, retry_after_ms=expected)


def test_a_connection_is_used_again(send: Send) -> None:
    with Sink("ok") as sink:
        for _ in range(5):
            assert send(sink.url).status == 200
        assert (sink.count, sink.connections) == (5, 1)


def test_an_idle_connection_that_the_site_closed_costs_nothing(send: Send) -> None:
    def answer_and_close(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with Sink(answer_and_close) as sink:
        assert send(sink.url).status == 200
        assert send(sink.url).status == 200
        assert sink.connections == 2


def test_a_connection_that_dies_at_the_moment_of_use_is_replaced_once(send: Send) -> None:
    with Sink("ok", "rst", "ok") as sink:
        assert send(sink.url).status == 200
        assert send(sink.url).status == 200
        assert (sink.count, sink.connections) == (3, 2)


@pytest.mark.parametrize(
    ("behaviour", "code"), [("noise", "protocol"), ("rst", "reset"), ("close", "reset"), ("700", "protocol")]
)
def test_a_broken_answer_has_its_code(send: Send, behaviour: str, code: str) -> None:
    with Sink(behaviour) as sink:
        assert send(sink.url) == Answer(None, code)


def test_endless_headers_are_cut_off(send: Send) -> None:
    def many_headers(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"a" * 60_000 + b"\r\n" + b"X: y\r\n\r\n")

    def many_continues(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 4000)

    with Sink(many_headers) as sink:
        assert send(sink.url) == Answer(None, "protocol")
    with Sink(many_continues) as sink:
        assert send(sink.url) == Answer(None, "protocol")


def test_of_a_huge_body_only_the_beginning_is_read(send: Send) -> None:
    with Sink("flood") as sink:
        assert send(sink.url).status == 200
        deadline = time.monotonic() + 10
        while not sink.flooded and time.monotonic() < deadline:
            time.sleep(0.01)
        # What the kernel's buffers swallowed before the connection was closed.
        assert 0 < sink.flooded < 64 * 1024 * 1024


@pytest.mark.parametrize("behaviour", ["hang", "drip"])
def test_five_seconds_are_the_end_even_against_a_drip(send: Send, behaviour: str) -> None:
    with Sink(behaviour) as sink:
        begun = time.monotonic()
        assert send(sink.url) == Answer(None, "timeout")
        assert 4 < time.monotonic() - begun < 10


def test_a_body_that_drips_does_not_hold_up_an_answer_that_is_there(send: Send) -> None:
    with Sink("drip_body") as sink:
        begun = time.monotonic()
        assert send(sink.url).status == 200
        assert time.monotonic() - begun < 4.5


def test_nobody_listening_is_told_apart_from_silence(send: Send) -> None:
    assert send(f"http://127.0.0.1:{free_port()}/logout") == Answer(None, "connect")


def test_a_full_backlog_costs_two_seconds_not_five(send: Send) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        begun = time.monotonic()
        answer = send(f"http://127.0.0.1:{deaf.getsockname()[1]}/logout")
        for one in waiting:
            one.close()
    assert answer == Answer(None, "timeout")
    assert time.monotonic() - begun < 4.5


def test_names_below_localhost_are_loopback_whatever_a_resolver_says() -> None:
    def never(host: str) -> list[str]:
        raise AssertionError(host)

    with Sink("ok") as sink:
        sender = sender_with(never)
        assert sender.send(f"http://site-one.localhost:{sink.port}/logout", b"", FORM).status == 200
        assert sink.inbox[0].headers["host"] == f"site-one.localhost:{sink.port}"
        sender.close()
        elsewhere = sender_with(never, on_loopback=False)
        assert elsewhere.send(f"http://site-one.localhost:{sink.port}/logout", b"", FORM).error == "address_forbidden"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "localhost", "localhost.", "x.localhost", "0.0.0.0", "2130706433"],
)
@pytest.mark.parametrize("allow_private", [False, True])
def test_a_centre_that_is_not_on_loopback_never_calls_loopback(host: str, allow_private: bool) -> None:
    with Sink("ok") as sink:
        sender = GuardedSender(allow_loopback=False)
        for scheme in ("http", "https"):
            answer = sender.send(f"{scheme}://{host}:{sink.port}/logout", b"", FORM, allow_private=allow_private)
            assert answer == Answer(None, "address_forbidden")
        assert sink.connections == 0


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1"]])
def test_a_name_is_judged_by_every_address_it_has(answers: list[str]) -> None:
    with Sink("ok") as sink:
        sender = sender_with(lambda _: answers, on_loopback=False)
        assert sender.send(f"https://shop.example:{sink.port}/", b"", FORM).error == "address_forbidden"
        assert sink.connections == 0


def test_rebinding_changes_nothing_because_what_was_checked_is_what_is_called() -> None:
    asked = []

    def first_good_then_metadata(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    with Sink("ok") as sink:
        sender = GuardedSender(allow_loopback=True, resolver=Resolver(first_good_then_metadata, keep_s=0))
        url = f"http://shop.example:{sink.port}/logout"
        assert sender.send(url, b"", FORM) == Answer(200)
        assert asked == ["shop.example"]
        assert sink.inbox[0].headers["host"] == f"shop.example:{sink.port}"
        # The idle connection to the good address doesn't help a name that now points elsewhere.
        assert sender.send(url, b"", FORM) == Answer(None, "address_forbidden")
        assert sink.count == 1
        sender.close()


def test_a_second_address_is_tried_when_the_first_is_dead() -> None:
    with Sink("ok") as sink:
        sender = sender_with(lambda _: ["::1", "127.0.0.1"])
        assert sender.send(f"http://shop.example:{sink.port}/", b"", FORM).status == 200
        sender.close()


def test_a_name_that_nobody_knows_and_a_resolver_that_hangs_are_both_dns() -> None:
    def unknown(host: str) -> list[str]:
        raise socket.gaierror(host)

    release = threading.Event()

    def hanging(host: str) -> list[str]:
        release.wait(30)
        return ["127.0.0.1"]

    assert sender_with(unknown).send("https://shop.example/", b"", FORM) == Answer(None, "dns")
    begun = time.monotonic()
    assert sender_with(hanging).send("https://shop.example/", b"", FORM) == Answer(None, "dns")
    assert time.monotonic() - begun < 4.5
    release.set()


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sink("ok") as proxy, Sink("ok") as sink:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        sender = GuardedSender(allow_loopback=True)
        assert sender.send(sink.url, b"", FORM).status == 200
        sender.close()
        assert proxy.connections == 0


def test_many_threads_share_one_sender_and_leave_few_connections() -> None:
    sender = GuardedSender(allow_loopback=True)
    with Sink("ok", delay_s=0.01) as sink:
        seen: list[int | None] = []
        threads = [
            threading.Thread(target=lambda: seen.extend(sender.send(sink.url, b"", FORM).status for _ in range(20)))
            for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [200] * 240
        assert len(sender._idle._kept) <= 4
        sender.close()
