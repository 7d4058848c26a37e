"""What `sso_server.logs` writes, as whoever collects the lines finds it."""

import json
import subprocess
import sys
from pathlib import Path

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
