"""Bodies that are no chunks, at a real server: refused as the caller's fault, and nothing of them in the log."""

import contextlib
import socket

import pytest

from tests.support.centre import WEB_SERVER, Centre

QUOTED = "zz_a-secret-in-the-wrong-place"
BODIES = {
    "no size": f"{QUOTED}\r\nx\r\n0\r\n\r\n",
    "longer than its size": f"3\r\nabc{QUOTED}\r\n0\r\n\r\n",
    "a line that never ends": f"{QUOTED * 400}",
    "cut off": f"ffff\r\ngrant_type={QUOTED}",
}


def status_of(centre: Centre, head: str, body: str) -> int:
    """Of the answer to this request, whose caller has nothing more to say."""
    with socket.create_connection(("127.0.0.1", centre.port), timeout=30) as connection:
        connection.sendall(f"{head}\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n{body}".encode())
        with contextlib.suppress(OSError):  # refused and hung up already
            connection.shutdown(socket.SHUT_WR)
        return int(connection.recv(65536).split()[1])


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("POST /token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded", 400),
        # Before it is known who calls: an assertion may stand in the body.
        ("POST /check-in HTTP/1.1\r\nContent-Type: application/json", 400),
        ("POST /sign-in HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded", 400),
        ("POST /sign-in HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b", 400),
    ],
    ids=["a program's form", "JSON", "a person's form", "a form in parts"],
)
def test_a_body_that_is_no_chunks_is_the_callers_fault(centre: Centre, head: str, status: int, body: str) -> None:
    before = centre.log.stat().st_size
    # docs/operations.md: granian gets no body without its length.
    assert status_of(centre, head, body) == (411 if WEB_SERVER == "granian" else status)
    with centre.log.open() as log:
        log.seek(before)
        written = log.read()
    assert "unexpected_error" not in written
    assert QUOTED not in written
