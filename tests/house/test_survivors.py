"""No server outlives the tests that started it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.house.sources import ROOT

_TESTS = """
import subprocess, sys, time
from tests.support.survivors import end_with_us
server = subprocess.Popen([sys.executable, "-S", "-c", sys.argv[1]], stdout=subprocess.PIPE, start_new_session=True)
server.stdout.readline()
end_with_us(server.pid)
print(server.pid, flush=True)
if sys.argv[2] == "killed":
    time.sleep(600)
server.kill()
server.wait()
server.stdout.close()
"""
_SERVER = "import time; print('up', flush=True); time.sleep(600)"


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("how", ["killed", "done"])
def test_a_server_ends_with_its_tests(how: str) -> None:
    command = [sys.executable, "-W", "error", "-c", _TESTS, _SERVER, how]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        server = int(tests.stdout.readline())
        if how == "killed":
            assert not is_gone(server)
            os.kill(tests.pid, 9)
        said = tests.communicate(timeout=60)
    assert said == ("", "")
    deadline = time.monotonic() + 60
    while not is_gone(server):
        assert time.monotonic() < deadline
        time.sleep(0.05)
