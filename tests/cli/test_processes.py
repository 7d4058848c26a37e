"""Forks of the supervisor: as if they had been executed, and without its own doings. Each in a program of its own."""

import json
import subprocess
import sys

import pytest

HEAD = """
import json, os, signal, subprocess, sys, time
from pathlib import Path
from sso_server.cli.door import Door
from sso_server.cli.processes import Child, Fork, start
from tests.support.ports import free_port

def fork(run, doors=(), **more):
    return start(Child(name="part", argv=("sso", "part"), run=run, **{"env": None, **more}), doors)

def says(*words):
    print(json.dumps(words), flush=True)
    return 0
"""


def told(script: str) -> tuple[list[list[object]], subprocess.CompletedProcess[str]]:
    done = subprocess.run(
        [sys.executable, "-c", HEAD + script], capture_output=True, text=True, timeout=60, check=False
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done


def test_a_fork_has_the_environment_the_words_and_the_name_that_it_was_given() -> None:
    lines, done = told("""
os.environ["OURS"] = "1"
print('["ours"]', end="\\n")  # buffered, and not said twice
look = lambda: says(dict(os.environ), sys.argv, Path("/proc/self/comm").read_text(), sys.stdin.read())
fork(look, env={"ITS": "2"}).wait(20)
says(os.environ["OURS"], sys.argv[0])
""")
    assert done.stderr == ""
    assert lines == [["ours"], [{"ITS": "2"}, ["sso", "part"], "sso-part\n", ""], ["1", "-c"]]


def test_as_many_files_may_be_open_as_the_system_allows_and_no_fewer_than_before() -> None:
    lines, done = told("""
import resource
from sso_server.cli.processes import take_descriptors
of_files = lambda: list(resource.getrlimit(resource.RLIMIT_NOFILE))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512))
take_descriptors()
fork(lambda: says(*of_files())).wait(20)
take_descriptors()
says(*of_files())
""")
    assert done.stderr == ""
    assert lines == [[512, 512], [512, 512]]


def test_a_fork_keeps_its_own_door_and_no_other() -> None:
    lines, done = told("""
doors = [Door("127.0.0.1", free_port()) for _ in range(3)]
look = lambda: says(*(door.fd for door in doors))
fork(look, doors, door=doors[1]).wait(20)
says(*(door.fd >= 0 for door in doors))
""")
    assert done.stderr == ""
    first, mine, last = lines[0]
    assert (first, last) == (-1, -1)
    assert isinstance(mine, int)
    assert mine >= 0
    assert lines[1] == [True, True, True]


@pytest.mark.parametrize(
    ("run", "code"), [("lambda: 3", 3), ("lambda: sys.exit(4)", 4), ("sys.exit", 0), ("lambda: sys.exit('no')", 1)]
)
def test_how_it_ends_is_its_exit_code_and_nothing_of_the_supervisor_runs_in_it(run: str, code: int) -> None:
    lines, _ = told(f"""
import atexit
atexit.register(says, "the end")
try:
    says(fork({run}).wait(20))
finally:
    says("done")
""")
    assert lines == [[code], ["done"], ["the end"]]


def test_an_error_that_nobody_caught_is_said_and_ends_it() -> None:
    lines, done = told("says(fork(lambda: 1 // 0).wait(20))")
    assert lines == [[1]]
    assert "ZeroDivisionError" in done.stderr


def test_whoever_is_told_to_stop_before_it_has_begun_stops() -> None:
    # The supervisor's own handler sets a flag that nobody in the fork looks at.
    lines, _ = told("""
signal.signal(signal.SIGTERM, lambda *_: None)
codes = set()
for _ in range(40):
    one = fork(lambda: time.sleep(20) or 0)
    one.terminate()
    codes.add(one.wait(10))
says(*codes)
""")
    assert lines == [[-15]]


def test_a_fork_does_not_outlive_a_supervisor_that_is_killed() -> None:
    lines, _ = told("""
reader, writer = os.pipe()
supervisor = os.fork()
if not supervisor:
    fork(lambda: (os.write(writer, b"x"), time.sleep(30)) and 0)
    time.sleep(30)
os.read(reader, 1)
os.close(writer)
os.kill(supervisor, signal.SIGKILL)
begun = time.monotonic()
assert os.read(reader, 1) == b""  # the last that held the other end is gone
says(time.monotonic() - begun < 10)
""")
    assert lines == [[True]]
