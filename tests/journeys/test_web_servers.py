"""What holds whichever web server answers (docs/operations.md): each story with gunicorn and with granian."""

import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.centre import Centre, tree, wait_until

#: More than a worker has threads.
MANY = 80


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    if request.param == "granian" and not os.environ.get("CI"):
        pytest.importorskip("granian")
    centre = Centre(tmp_path_factory.mktemp("served"), settings={"SSO_WEB_SERVER": request.param})
    # As a shell or a service manager of a system with low limits would start it.
    centre.process.argv = ["sh", "-c", 'ulimit -S -n 256; exec "$@"', "sh", *centre.process.argv]
    try:
        yield centre.start()
        assert centre.process.stop() == 0
        assert "Traceback" not in centre.log.read_text()
    finally:
        centre.process.stop()


def is_granian(centre: Centre) -> bool:
    return centre.process.env["SSO_WEB_SERVER"] == "granian"


def connected(centre: Centre) -> socket.socket:
    return socket.create_connection(("127.0.0.1", centre.port), timeout=10)


def told(connection: socket.socket) -> bytes:
    """Everything until the server hangs up."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def ask(centre: Centre, *lines: str, body: bytes = b"") -> bytes:
    with connected(centre) as connection:
        head = "\r\n".join((*lines, f"Host: 127.0.0.1:{centre.port}", "Connection: close", "", ""))
        connection.sendall(head.encode("latin-1") + body)
        return told(connection)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def lines_of(centre: Centre, name: str) -> int:
    return centre.log.read_text().count(f'"endpoint": "{name}"')


def workers_of(centre: Centre) -> list[int]:
    assert centre.process.popen is not None
    web = [p for p in tree(centre.process.popen.pid) if Path(f"/proc/{p}/comm").read_text().startswith("sso-web")]
    return [pid for pid in web if len(tree(pid)) == 1]


@pytest.mark.parametrize("body", [b"nonsense\r\n", b"5\r\ntoken\r\nnonsense\r\n"])
def test_chunks_that_are_none_are_the_callers_fault(served: Centre, body: bytes) -> None:
    head = ("POST /revoke HTTP/1.1", "Content-Type: application/x-www-form-urlencoded", "Transfer-Encoding: chunked")
    assert status(ask(served, *head, body=body)) in (400, 411)


def test_half_a_body_is_never_taken_for_all_of_it(served: Centre) -> None:
    form = b"token=at-0123456789&client_id=shop&client_secret=0123456789"
    head = ("POST /revoke HTTP/1.1", "Content-Type: application/x-www-form-urlencoded")
    # Taken for all of it, half of it would be a client that isn't known: 401.
    for length in (f"Content-Length: {len(form) + 40}", "Transfer-Encoding: chunked"):
        with connected(served) as connection:
            lines = (*head, length, f"Host: 127.0.0.1:{served.port}", "", "")
            sent = form if "Length" in length else f"{len(form):x}\r\n".encode() + form + b"\r\n"
            connection.sendall("\r\n".join(lines).encode() + sent)
            connection.shutdown(socket.SHUT_WR)
            answer = told(connection)
            assert answer == b"" or status(answer) in (400, 411)


@pytest.mark.parametrize(
    ("target", "statuses"),
    [
        ("/%E4%BD%A0%E5%A5%BD", (404,)),
        ("/%ff%fe", (404, 400)),
        ("/healthz?x=" + "y" * 9000, (400, 414)),
        ("/healthz?x=" + "y" * 7000, (200,)),
    ],
)
def test_whatever_is_asked_for_is_answered_and_no_error_of_ours(
    served: Centre, target: str, statuses: tuple[int, ...]
) -> None:
    assert status(ask(served, f"GET {target} HTTP/1.1")) in statuses


def test_too_many_and_too_large_headers_are_refused(served: Centre) -> None:
    many = [f"X-{number}: 1" for number in range(150)]
    assert status(ask(served, "GET /healthz HTTP/1.1", *many)) in (400, 431)
    assert status(ask(served, "GET /healthz HTTP/1.1", "X-Long: " + "y" * 200_000)) in (400, 431)


def test_head_is_get_without_a_body(served: Centre) -> None:
    head = requests.head(f"{served.issuer}/.well-known/openid-configuration", timeout=10)
    whole = requests.get(f"{served.issuer}/.well-known/openid-configuration", timeout=10)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == whole.headers["Content-Type"]
    assert ask(served, "HEAD /healthz HTTP/1.1").endswith(b"\r\n\r\n")


def test_who_calls_is_who_connected_however_it_calls_itself(served: Centre) -> None:
    # Nobody is a trusted proxy here; a page of numbers is for this machine alone, unless a proxy has left a trace.
    numbers = f"{served.issuer}/metrics"
    assert requests.get(numbers, timeout=10).status_code == 200
    assert requests.get(numbers, headers={"X-Forwarded-For": "127.0.0.1"}, timeout=10).status_code == 404


def test_more_connections_than_threads_are_all_answered_again_and_again(served: Centre) -> None:
    kept = [connected(served) for _ in range(MANY)]
    question = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n".encode()
    try:
        for _ in range(3):
            for connection in kept:
                connection.sendall(question)
            for connection in kept:
                answer = b""
                while b'"ok"' not in answer:
                    part = connection.recv(4096)
                    assert part, "hung up on"
                    answer += part
                assert answer.count(b"HTTP/1.1 200") == 1
    finally:
        for connection in kept:
            connection.close()


def test_a_worker_may_open_as_many_files_as_the_system_allows(served: Centre) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = 65_536 if most == resource.RLIM_INFINITY else min(most, 65_536)
    wait_until(lambda: len(workers_of(served)) == 2, why="both")
    soft = [resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] for pid in workers_of(served)]
    # granian, once it is loaded, takes all that there are.
    assert min(soft) >= wanted


def test_threads_of_a_worker_allocate_from_few_areas(served: Centre) -> None:
    kept = [connected(served) for _ in range(MANY)]
    try:
        for connection in kept:
            connection.sendall(f"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n".encode())
        for connection in kept:
            assert status(connection.recv(4096)) == 200
    finally:
        for connection in kept:
            connection.close()
    # The first area of a process is its heap.
    assert max(map(areas_of, workers_of(served))) <= 1


def areas_of(pid: int) -> int:
    """Those that glibc gave to threads: each has 64 MB of addresses, from a multiple of that on (malloc/arena.c)."""
    spans = [line.split()[0].split("-") for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    ends = {int(begin, 16): int(end, 16) for begin, end in spans}
    return sum(begin % (64 << 20) == 0 and ends.get(end) == begin + (64 << 20) for begin, end in ends.items())


# At granian's, what the system has dealt out to a process waits for it.
@pytest.mark.parametrize("served", ["gunicorn"], indirect=True)
def test_a_process_that_hangs_keeps_callers_from_no_other(served: Centre) -> None:
    hung = workers_of(served)[0]
    os.kill(hung, signal.SIGSTOP)
    try:
        for _ in range(20):
            assert requests.get(f"{served.issuer}/healthz", timeout=5).ok
    finally:
        os.kill(hung, signal.SIGCONT)


def test_who_does_not_hang_up_holds_up_nobody_and_is_hung_up_on(served: Centre) -> None:
    last = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nConnection: close\r\n\r\n".encode()
    staying, workers, before = [connected(served) for _ in range(MANY)], workers_of(served), time.monotonic()
    try:
        for connection in staying:
            connection.sendall(last)
        # To its end: our side is closed, theirs is not.
        assert {status(told(connection)) for connection in staying} == {200}
        for _ in range(20):
            assert requests.get(f"{served.issuer}/healthz", timeout=20).ok
        assert time.monotonic() - before < 10, "each of them has two seconds, and all have them at once"
        wait_until(lambda: all(map(is_gone, staying)), why="nobody to be there any more")
    finally:
        for connection in staying:
            connection.close()
    assert workers_of(served) == workers


def is_gone(connection: socket.socket) -> bool:
    """Whether the other side takes no more from us."""
    try:
        connection.sendall(b"x")
        return bool(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    except OSError:
        return True


def test_a_machine_that_says_nothing_is_soon_asked_whether_it_is_still_there(served: Centre) -> None:
    with connected(served) as connection:
        connection.sendall(b"POST /token HTTP/1.1\r\nContent-Length: 100\r\n")
        asked_in = wait_until(lambda: next_question(served.port, connection.getsockname()[1]), why="a question")
    assert 20 < asked_in <= 30


def next_question(server: int, client: int) -> float | None:
    """Seconds until the server's side asks that by itself (proc(5), net/tcp: timer 2)."""
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, _, timer, *_ = row.split()
        kind, ticks = timer.split(":")
        if (local[-5:], remote[-5:], kind) == (f":{server:04X}", f":{client:04X}", "02"):
            return int(ticks, 16) / os.sysconf("SC_CLK_TCK")
    return None


def test_an_answer_reaches_who_is_still_sending(served: Centre) -> None:
    for _ in range(20):
        assert status(ask(served, "GET /healthz HTTP/1.1", body=b"x" * 30_000)) == 200


def test_two_requests_in_one_piece_get_two_answers_in_their_order(served: Centre) -> None:
    host = f"Host: 127.0.0.1:{served.port}\r\n"
    with connected(served) as connection:
        last = f"GET /nowhere HTTP/1.1\r\n{host}Connection: close\r\n\r\n"
        connection.sendall(f"GET /healthz HTTP/1.1\r\n{host}\r\n{last}".encode())
        answers = told(connection)
    assert answers.index(b"HTTP/1.1 200") < answers.index(b"HTTP/1.1 404")


def test_a_cookie_beyond_ascii_signs_nobody_out_without_a_word(served: Centre) -> None:
    answers = [
        ask(served, "GET /healthz HTTP/1.1", header)
        for header in ("Cookie: lockstep_session=1; city=M\xfcnchen", "X-Forwarded-For: \xff, 192.0.2.9")
    ]
    # granian would hand on a header without a value; gunicorn reads it.
    assert {status(answer) for answer in answers} == {400 if is_granian(served) else 200}


def test_a_worker_that_is_killed_is_replaced(served: Centre) -> None:
    before = workers_of(served)
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    # Some of them while nobody is there in its place.
    for _ in range(20):
        assert status(ask(served, "GET /healthz HTTP/1.1")) == 200
    wait_until(lambda: len(set(workers_of(served)) - set(before)) == 1, why="a new worker")
    wait_until(lambda: requests.get(f"{served.issuer}/readyz", timeout=5).ok, why="an answer")


@pytest.mark.parametrize("web_server", ["gunicorn", "granian"])
def test_each_worker_keeps_to_a_core_of_its_own_if_that_is_asked_for(web_server: str, tmp_path: Path) -> None:
    if web_server == "granian" and not os.environ.get("CI"):
        pytest.importorskip("granian")
    cores = sorted(os.sched_getaffinity(0))
    centre = Centre(tmp_path, settings={"SSO_WEB_SERVER": web_server, "SSO_OWN_CORES": "true"}).start()
    try:
        wait_until(lambda: len(workers_of(centre)) == 2, why="both")
        threads = [[int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()] for pid in workers_of(centre)]
        kept = [{core for thread in each for core in os.sched_getaffinity(thread)} for each in threads]
        assert sorted(map(sorted, kept)) == sorted(
            [cores[0]] if each == 0 else [cores[1 % len(cores)]] for each in (0, 1)
        )
        assert centre.process.popen is not None
        others = set(tree(centre.process.popen.pid)) - set(workers_of(centre))
        assert all(sorted(os.sched_getaffinity(pid)) == cores for pid in others), (
            "supervisors and deliveries keep to none"
        )
    finally:
        assert centre.process.stop() == 0


@pytest.mark.parametrize("web_server", ["gunicorn", "granian"])
def test_a_centre_that_stops_resets_nobody(web_server: str, tmp_path: Path) -> None:
    """Callers without a pause, each on a connection of its own: one that connected is answered, or it is refused."""
    if web_server == "granian" and not os.environ.get("CI"):
        pytest.importorskip("granian")
    centre = Centre(tmp_path, settings={"SSO_WEB_SERVER": web_server}).start()
    stopping, ended = threading.Event(), []

    def call() -> None:
        while True:
            try:
                answer = ask(centre, "GET /healthz HTTP/1.1")
            except (ConnectionRefusedError, TimeoutError) as error:
                assert stopping.is_set()
                ended.append(type(error).__name__)
                return
            except OSError as error:
                ended.append(f"reset: {error}")
                return
            if not answer.startswith(b"HTTP/1.1 200"):
                ended.append(f"answer: {answer[:100]!r}")
                return

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    time.sleep(0.3)  # calls are under way
    stopping.set()
    assert centre.process.stop() == 0
    for caller in callers:
        caller.join(30)
    assert set(ended) <= {"ConnectionRefusedError", "TimeoutError"}
    assert len(ended) == len(callers)
