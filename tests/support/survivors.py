"""Servers end with the tests that started them, also when those are killed: nobody's `finally` runs then.

A watcher for each process of the tests hears of every server, and learns by the end of its pipe that nobody is there
any more. (PR_SET_PDEATHSIG would end a server with the thread that started it.)
"""

import atexit
import contextlib
import os
import subprocess
import sys
import threading

_WATCHER = """
import contextlib, os, signal, sys, time

def begun(pid):
    with contextlib.suppress(OSError):
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[19]

servers = {}
for line in sys.stdin:
    servers[int(line)] = begun(int(line))
for sign, longest_s in ((signal.SIGTERM, 15), (signal.SIGKILL, 0)):
    # A number may be another's by now; when it began says whose it is.
    left = [pid for pid, at in servers.items() if at is not None and begun(pid) == at]
    for pid in left:
        with contextlib.suppress(OSError):
            leads = os.getpgid(pid) == pid and sign == signal.SIGKILL
            (os.killpg if leads else os.kill)(pid, sign)
    deadline = time.monotonic() + longest_s
    while time.monotonic() < deadline and any(begun(pid) == servers[pid] for pid in left):
        time.sleep(0.1)
"""
_lock = threading.Lock()
_watcher: subprocess.Popen[str] | None = None
_of = 0


def end_with_us(pid: int) -> None:
    """If this process dies, the server `pid` gets SIGTERM, and a quarter of a minute later SIGKILL."""
    with _lock:
        watcher = _running()
        assert watcher.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            watcher.stdin.write(f"{pid}\n")
            watcher.stdin.flush()


def _running() -> "subprocess.Popen[str]":
    """Of this process: a forked one has its own."""
    global _watcher, _of  # noqa: PLW0603  # one for each process
    if _watcher is None or _of != os.getpid():
        _of = os.getpid()
        # In a session of its own: what is sent to the group of the tests isn't for it.
        _watcher = subprocess.Popen(
            [sys.executable, "-S", "-c", _WATCHER], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        atexit.register(_leave, _watcher)
    return _watcher


def _leave(watcher: "subprocess.Popen[str]") -> None:
    assert watcher.stdin is not None
    watcher.stdin.close()
    if _of == os.getpid():
        watcher.wait(30)
