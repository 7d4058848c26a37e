"""What `sso_server.logs` writes, as whoever collects the lines finds it."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sso_server import clock

_WRITES = """
import sys, structlog
from sso_server.logs import configure_logs
configure_logs("json")
log = structlog.get_logger()
print("ready", flush=True)
sys.stdin.readline()
for number in range(500):
    log.info("line", number=number, text="x" * 300)
"""


def test_lines_of_several_processes_stay_apart(tmp_path: Path) -> None:
    place = tmp_path / "log"
    with place.open("ab") as log:
        command = [sys.executable, "-c", _WRITES]
        processes = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, stderr=log) for _ in "1234"
        ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    lines = place.read_text().splitlines()
    assert len(lines) == 2000
    assert sorted(json.loads(line)["number"] for line in lines) == sorted(list(range(500)) * 4)


_SAYS = """
import structlog
from sso_server import logs
logs.configure_logs("json")
structlog.contextvars.bind_contextvars(request_id="req-1", client_id="wiki")
def say(log):
    log.info("plain", status=200, ms=1.5, client_id="its own")
    log.bind(part="a").warning("with %s", "words", odd={1}, text="\\u00fc\\n\\"")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("broken")
    log.debug("nobody reads this")
say(structlog.get_logger("x"))
structlog.configure(processors=[*logs._common(), *logs._last("json")], cache_logger_on_first_use=False)
say(structlog.get_logger("y"))
"""


def test_a_line_holds_what_structlogs_own_steps_would_write_in_their_order() -> None:
    done = subprocess.run([sys.executable, "-c", _SAYS], check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    ours, theirs = lines[:3], lines[3:]
    assert [list(line) for line in ours] == [list(line) for line in theirs]
    for line in lines:
        at = datetime.fromisoformat(line.pop("timestamp"))
        assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    assert ours == theirs
    assert ours[0]["client_id"] == "its own"
    assert "ZeroDivisionError" in ours[2]["exception"]


def test_time_stamps_go_on_from_second_to_second() -> None:
    begun, last = datetime.now(UTC), ""
    while (before := datetime.now(UTC)) < begun + timedelta(seconds=1.1):
        said = clock.stamp()
        assert said >= last
        assert before <= datetime.fromisoformat(said) <= datetime.now(UTC)
        last = said


def test_text_that_nobody_looks_at_has_no_colours() -> None:
    says = "from sso_server import logs; logs.configure_logs('text'); logs.structlog.get_logger().info('hi', to=1)"
    line = subprocess.run([sys.executable, "-c", says], capture_output=True, text=True, timeout=60, check=True).stderr
    assert line.split()[1:] == ["[info", "]", "hi", "to=1"]
