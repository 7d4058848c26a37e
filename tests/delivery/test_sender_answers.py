"""A corpus of answers that a broken or hostile site could give: each has its code, within the time and the memory.

`Sink` serves them from a raw socket; a behaviour gets the socket once the request has come whole.
"""

import gzip
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest

from sso_server.core.notifications import Answer
from sso_server.delivery.observation import Observation
from sso_server.delivery.sender import GuardedSender
from tests.support.sinks import Sink

OK = b"HTTP/1.1 200 OK\r\n"
MIB = 1 << 20
Behaviour = Callable[[socket.socket], None]


def says(*parts: bytes, then_silent: bool = False) -> Behaviour:
    """Sends this; then it hangs up, or keeps the line open and says no more."""

    def behave(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
        if then_silent:
            connection.settimeout(20)
            with suppress(OSError):
                connection.recv(1)

    return behave


def drips(start: bytes, drop: bytes) -> Behaviour:
    """Sends a little every fifth of a second, for as long as somebody listens."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(start)
        with suppress(OSError):
            for _ in range(200):
                connection.sendall(drop)
                time.sleep(0.2)

    return behave


def pours(start: bytes, wave: bytes) -> Behaviour:
    """Sends without end, for as long as somebody listens."""

    def behave(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.sendall(start)
            for _ in range(1 << 30):
                connection.sendall(wave)

    return behave


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ZIPPED = gzip.compress(b"\0" * (64 * MIB))

#: name -> what the site does, the answer, how many seconds it may take at most (five times what it should)
ANSWERS: dict[str, tuple[Behaviour, Answer, float]] = {
    # nothing that could be an answer
    "no word": (says(), Answer(None, "reset"), 5),
    "HTTP/0.9": (says(b"<html>ok</html>"), Answer(None, "protocol"), 5),
    "HTTP/2": (
        says(b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0d\0\4\0\20\0\0\0\6\0\0@\0", then_silent=True),
        Answer(None, "timeout"),
        10,
    ),
    "TLS": (says(b"\x15\x03\x01\x00\x02\x02\x16"), Answer(None, "protocol"), 5),
    "SSH": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), Answer(None, "protocol"), 5),
    "SMTP": (says(b"220 mail.example ESMTP\r\n", then_silent=True), Answer(None, "protocol"), 5),
    "Redis": (says(b"-ERR wrong number of arguments\r\n"), Answer(None, "protocol"), 5),
    "zeros": (says(b"\0" * 4096), Answer(None, "protocol"), 5),
    "a status of two digits": (says(b"HTTP/1.1 20 OK\r\n\r\n"), Answer(None, "protocol"), 5),
    "a status of letters": (says(b"HTTP/1.1 OK 200\r\n\r\n"), Answer(None, "protocol"), 5),
    "a negative status": (says(b"HTTP/1.1 -200 OK\r\n\r\n"), Answer(None, "protocol"), 5),
    "status 199": (says(b"HTTP/1.1 199 ?\r\n\r\n"), Answer(None, "protocol"), 5),
    "status 600": (says(b"HTTP/1.1 600 ?\r\nContent-Length: 0\r\n\r\n"), Answer(None, "protocol"), 5),
    "only an early hint": (says(b"HTTP/1.1 103 Early Hints\r\n\r\n"), Answer(None, "protocol"), 5),
    "a switch of protocols": (
        says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
        Answer(None, "protocol"),
        5,
    ),
    # hangs up early
    "hangs up in the status line": (says(b"HTTP/1.1 2"), Answer(None, "protocol"), 5),
    "hangs up before the first line ends": (says(b"HTTP/1.1 200 OK"), Answer(200), 5),
    "hangs up in the headers": (says(OK + b"X-A: b\r\n"), Answer(200), 5),
    "hangs up in the body": (says(OK + b"Content-Length: 1000\r\n\r\nabc"), Answer(200), 5),
    "hangs up in a chunk": (says(CHUNKED + b"ff\r\nabc"), Answer(200), 5),
    # slow
    "silence": (says(then_silent=True), Answer(None, "timeout"), 10),
    "silence after the status line": (says(OK, then_silent=True), Answer(None, "timeout"), 10),
    "silence in the headers": (says(OK + b"X-A: ", then_silent=True), Answer(None, "timeout"), 10),
    "silence in the body": (says(OK + b"Content-Length: 9\r\n\r\n", then_silent=True), Answer(200), 5),
    "dripping status line": (drips(b"HTTP/1.1 200 ", b"O"), Answer(None, "timeout"), 10),
    "dripping headers": (drips(OK, b"X-A: b\r\n"), Answer(None, "timeout"), 10),
    "dripping interim answers": (drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), Answer(None, "timeout"), 10),
    "dripping body": (drips(OK + b"Content-Length: 1000\r\n\r\n", b"a"), Answer(200), 5),
    "dripping chunks": (drips(CHUNKED, b"1\r\na\r\n"), Answer(200), 5),
    "dripping trailers": (drips(CHUNKED + b"0\r\n", b"X-A: b\r\n"), Answer(200), 5),
    # without end
    "an endless status line": (pours(b"HTTP/1.1 200 ", b"O" * 8192), Answer(None, "protocol"), 5),
    "an endless header": (pours(OK + b"X-A: ", b"a" * 8192), Answer(None, "protocol"), 5),
    "endless headers": (pours(OK, b"X-A: b\r\n" * 1024), Answer(None, "protocol"), 5),
    "endless interim answers": (pours(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 256), Answer(None, "protocol"), 5),
    "an endless body": (pours(OK + b"\r\n", b"a" * 65_536), Answer(200), 5),
    "an endless body of a stated length": (
        pours(OK + b"Content-Length: 1073741824\r\n\r\n", b"a" * 65_536),
        Answer(200),
        5,
    ),
    "endless chunks": (pours(CHUNKED, b"1\r\na\r\n" * 4096), Answer(200), 5),
    "an endless chunk": (pours(CHUNKED + b"7fffffff\r\n", b"a" * 65_536), Answer(200), 5),
    "an endless chunk extension": (pours(CHUNKED + b"1;", b"a" * 65_536), Answer(200), 5),
    "endless trailers": (pours(CHUNKED + b"0\r\n", b"X-A: b\r\n" * 1024), Answer(200), 5),
    # lengths that lie
    "a length of a gigabyte and silence": (
        says(OK + b"Content-Length: 1073741824\r\n\r\n", then_silent=True),
        Answer(200),
        5,
    ),
    "a length beyond all numbers": (says(OK + b"Content-Length: " + b"9" * 400 + b"\r\n\r\nok"), Answer(200), 5),
    "a length of five thousand digits": (says(OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nok"), Answer(200), 5),
    "a negative length": (says(OK + b"Content-Length: -1\r\n\r\nok"), Answer(200), 5),
    "no number as length": (says(OK + b"Content-Length: lots\r\n\r\nok"), Answer(200), 5),
    "two lengths": (says(OK + b"Content-Length: 2\r\nContent-Length: 9\r\n\r\nok"), Answer(None, "protocol"), 5),
    "a body longer than stated": (says(OK + b"Content-Length: 1\r\n\r\nokokok"), Answer(200), 5),
    "chunks and a length": (says(CHUNKED[:-2] + b"Content-Length: 9\r\n\r\n0\r\n\r\n"), Answer(200), 5),
    "no chunks although announced": (says(CHUNKED + b"hello"), Answer(200), 5),
    "a negative chunk": (says(CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n"), Answer(200), 5),
    # bombs: nothing is ever unpacked
    "a gzip bomb": (
        says(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED), ZIPPED),
        Answer(200),
        5,
    ),
    "a gzip bomb in chunks": (
        says(CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n%x\r\n" % len(ZIPPED), ZIPPED, b"\r\n0\r\n\r\n"),
        Answer(200),
        5,
    ),
    "nested encodings": (
        says(OK + b"Content-Encoding: " + b"gzip, " * 500 + b"gzip\r\nContent-Length: 2\r\n\r\nok"),
        Answer(200),
        5,
    ),
    "an unknown encoding": (says(OK + b"Content-Encoding: rot13\r\nContent-Length: 2\r\n\r\nok"), Answer(200), 5),
    # headers that make no sense
    "headers without a colon": (says(OK + b"nonsense\r\nContent-Length: 0\r\n\r\n"), Answer(200), 5),
    "a header with a NUL": (says(OK + b"X-A: \0\r\nContent-Length: 0\r\n\r\n"), Answer(200), 5),
    "a header in broken UTF-8": (says(OK + b"X-A: \xff\xfe\r\nContent-Length: 0\r\n\r\n"), Answer(200), 5),
    "a folded header": (says(OK + b"X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n"), Answer(200), 5),
    "a store that is none": (says(OK + b"Lockstep-Store: <script>\r\nContent-Length: 0\r\n\r\n"), Answer(200), 5),
    "two stores": (
        says(OK + b"Lockstep-Store: st-%s\r\n" % (b"a" * 32) * 2 + b"Content-Length: 0\r\n\r\n"),
        Answer(200),
        5,
    ),
}


@pytest.fixture(scope="module")
def sender() -> Iterator[GuardedSender]:
    made = GuardedSender(allow_loopback=True)
    yield made
    made.close()


#: Those that are waited for until the sender gives up: all at once, their memory together.
SLOW = tuple(name for name, (_, answer, _) in ANSWERS.items() if answer.error == "timeout")


def called(sender: GuardedSender, *names: str) -> dict[str, tuple[Answer, float, int]]:
    """name -> the answer, how long it took, and how many bytes of memory all of them took together."""
    with ExitStack() as stack:
        sinks = {name: stack.enter_context(Sink(ANSWERS[name][0])) for name in names}

        def call(name: str) -> tuple[Answer, float]:
            begun = time.monotonic()
            return sender.send(sinks[name].url, b"logout_token=x", {}), time.monotonic() - begun

        with ThreadPoolExecutor(len(names)) as pool:
            tracemalloc.start()
            answers = list(pool.map(call, names))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    return {name: (*answer, peak) for name, answer in zip(names, answers, strict=True)}


@pytest.fixture(scope="module")
def slow_answers(sender: GuardedSender) -> dict[str, tuple[Answer, float, int]]:
    return called(sender, *SLOW)


@pytest.mark.parametrize("name", ANSWERS)
def test_the_site_gives(request: pytest.FixtureRequest, sender: GuardedSender, name: str) -> None:
    _, expected, most_s = ANSWERS[name]
    given = request.getfixturevalue("slow_answers") if name in SLOW else called(sender, name)
    answer, took, peak = given[name]
    assert answer == expected
    assert took < most_s
    # Ours and the site's are one process here: what the site holds ready is counted too.
    assert peak < 4 * MIB


def test_nothing_is_ever_unpacked(sender: GuardedSender) -> None:
    seen = Observation()
    with Sink(ANSWERS["a gzip bomb"][0]) as sink:
        sender.send(sink.url, b"", {}, seen=seen)
    assert seen.beginning == ZIPPED[: len(seen.beginning)] != b""


#: What a site may send in one piece or in several; after each of them it goes on listening.
PIECES = {
    "at once": (OK + b"Content-Length: 2\r\n\r\nok",),
    "the body after the head": (OK + b"Content-Length: 2\r\n\r\n", b"ok"),
    "the body in drops": (OK + b"Content-Length: 3\r\n\r\na", b"b", b"c"),
    "the head in two": (OK + b"Content-Le", b"ngth: 2\r\n\r\nok"),
    "the blank line alone": (OK + b"Content-Length: 2\r\n", b"\r\n", b"ok"),
    "no more than it must": (b"HTTP/1.1 200\r\ncontent-length:2\r\n\r\nok",),
    "in chunks": (CHUNKED, b"2\r\nok\r\n", b"0\r\n\r\n"),
    "nothing to read": (b"HTTP/1.1 204 No Content\r\n\r\n",),
    "one length twice": (OK + b"Content-Length: 2\r\n" * 2 + b"\r\nok",),
}


@pytest.mark.parametrize("name", PIECES)
def test_an_answer_is_understood_in_whatever_pieces_it_comes(sender: GuardedSender, name: str) -> None:
    def answer_twice(connection: socket.socket) -> None:
        connection.settimeout(10)
        for turn in range(2):
            for part in PIECES[name]:
                connection.sendall(part)
                time.sleep(0.02)  # or the kernel would make one of them
            if not turn:
                connection.recv(65_536)

    with Sink(answer_twice, "500") as sink:
        for _ in range(2):
            seen = Observation()
            assert sender.send(sink.url, b"logout_token=x", {}, seen=seen).status in (200, 204)
            assert seen.beginning in (b"ok", b"abc", b"")
        assert sink.connections == 1


RETRY_AFTER = {
    "absent": ("", None),
    "zero": ("0", 0),
    "negative": ("-1", None),
    "a fraction": ("1.5", None),
    "an exponent": ("1e9", None),
    "hexadecimal": ("0x10", None),
    "a plus": ("+5", None),
    "other digits": ("\u0663".encode().decode("latin-1"), None),
    "a superscript": ("\xb2", None),
    "a hundred years": ("3153600000", 315_360_000_000),
    "beyond all numbers": ("9" * 10_000, 999_999_999_000),
    "a list": ("5, 10", None),
    "the past": ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    "the year 9999": ("Fri, 31 Dec 9999 23:59:59 GMT", 251_602_300_799_000),
    "the year 10000": ("Sat, 01 Jan 10000 00:00:00 GMT", None),
    "the 31st of February": ("Wed, 31 Feb 2027 00:00:00 GMT", None),
    "an absurd zone": ("Fri, 15 Jan 2027 08:00:30 +9999", None),
    "words": ("when I am back", None),
}


@pytest.mark.parametrize("name", RETRY_AFTER)
def test_the_site_wants_to_be_called_again_after(sender: GuardedSender, name: str) -> None:
    text, expected = RETRY_AFTER[name]
    headers = {"Retry-After": text, "Date": "Fri, 15 Jan 2027 08:00:00 GMT"}
    head = "".join(f"{key}: {value}\r\n" for key, value in headers.items()).encode("latin-1")
    with Sink(says(b"HTTP/1.1 503 Later\r\n" + head + b"Content-Length: 0\r\n\r\n")) as sink:
        answer = sender.send(sink.url, b"", {})
    assert (answer.status, answer.error) == (503, "")
    assert answer.retry_after_ms == expected
