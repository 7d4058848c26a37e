"""The supervisor's children: programs that it executes, or forks of itself that share what it has imported.

A fork is there in milliseconds and shares its memory with the others; in exchange the supervisor may hold no thread,
no connection and no lock when it makes one.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import NoReturn

from sso_server.cli.door import Door
from sso_server.core.records import record
from sso_server.environment import become

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_M_ARENA_MAX = -8  # malloc.h; Python has no name for it
_STOPPING = (signal.SIGTERM, signal.SIGINT)
_FAILED = 1
#: Of one process. Not without bounds where the system knows none: some programs go through all that they might have.
_DESCRIPTORS = 65_536


@record
class Child:
    """A process to be kept alive."""

    name: str
    argv: tuple[str, ...]
    """What is executed, or what a fork finds as its `sys.argv`."""
    env: Mapping[str, str] | None
    """None: ours."""
    output: Path | None = None
    """The file that its words are added to; None: where ours go. Of an executed child only."""
    door: Door | None = None
    """What it listens on, if we bound it; it finds the descriptor under the same number."""
    stops_last: bool = False
    """Asked to stop when the others have: what they did last is still carried out."""
    run: Callable[[], int] | None = None
    """What a fork of ours does: its exit code. None: `argv` is executed."""


class Fork:
    """A process that goes on in this program. As much of subprocess.Popen as the supervisor uses."""

    def __init__(self, child: Child, run: Callable[[], int], doors: Sequence[Door]) -> None:
        """`doors`: those of all children; it keeps its own."""
        # What is buffered would be said twice.
        _say_all()
        parent = os.getpid()
        # A signal that came before the fork has handlers of its own would be taken by ours, which stop nothing there.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        self.pid = os.fork()
        if self.pid == 0:
            _live(child, run, doors, parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it lives."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired after so many seconds."""
        until = None if timeout is None else monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and monotonic() >= until:
                raise subprocess.TimeoutExpired("fork", timeout or 0)
            threading.Event().wait(0.01)
        return code

    def terminate(self) -> None:
        """SIGTERM, if it lives."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


Process = subprocess.Popen[bytes] | Fork


def take_descriptors() -> None:
    """As many open files as we may have, here and in all children: the usual soft limit of 1024, meant for programs
    that use select(2), is less than the connections of one web worker and those to its stores."""
    if sys.platform == "win32":
        return
    import resource

    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if most == resource.RLIM_INFINITY else min(most, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def share_memory() -> None:
    """Before the first fork: what has been loaded is left alone by the garbage collector.

    Else the first collection in each process would touch, and so copy, every page of it. What was garbage by now stays:
    one in a hundred objects, and looking for them would take a tenth of the start.
    """
    gc.freeze()


def start(child: Child, doors: Sequence[Door]) -> Process:
    """`doors`: those of all children; a fork closes those that aren't its own."""
    if child.run is not None:
        return Fork(child, child.run, doors)
    with contextlib.ExitStack() as stack:
        output = None if child.output is None else stack.enter_context(child.output.open("ab"))
        # Its own session, so that Ctrl-C on the terminal reaches only us and we stop the children in order.
        return subprocess.Popen(  # noqa: S603  (our own argv)
            child.argv,
            env=None if child.env is None else dict(child.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=() if child.door is None else (child.door.fd,),
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509  (it allocates nothing and takes no lock)
        )


def _live(child: Child, run: Callable[[], int], doors: Sequence[Door], parent: int) -> NoReturn:
    """Never back to the supervisor's own code: nothing that it holds open is closed, or removed, twice."""
    code = _FAILED
    try:
        os.setsid()
        _die_with_parent()
        if os.getppid() != parent:
            os._exit(_FAILED)
        for number in _STOPPING:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        for door in doors:
            if door is not child.door:
                door.close()
        if child.env is not None:
            become(child.env)
        sys.argv = list(child.argv)
        _take_name(child)
        _allocate_from_few()
        code = run()
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else _FAILED if done.code else 0
    except BaseException:  # noqa: BLE001  (whatever it is, it ends here and is said)
        sys.excepthook(*sys.exc_info())
    finally:
        try:
            _say_all()
        finally:
            os._exit(code)


def _say_all() -> None:
    for stream in (sys.stdout, sys.stderr):
        # None: whoever started us closed it.
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()


def _die_with_parent() -> None:
    """A supervisor killed with -9 takes its children along (Linux): nobody serves unsupervised."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _allocate_from_few() -> None:
    """glibc gives threads that allocate at once areas of their own, up to eight a core, and each keeps what it had: of
    a worker's 87 MB with 24 callers 5."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _take_name(child: Child) -> None:
    """What `ps` and `top` show (Linux): forks would all look like their parent."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_NAME, f"sso-{child.name}".encode()[:15], 0, 0, 0)
        # proc(5): where our command line lies, fields 48 and 49; counted from the one behind the name, the third.
        begin, end = map(int, Path("/proc/self/stat").read_text().rpartition(")")[2].split()[45:47])
        words = b"\0".join(word.encode() for word in child.argv)
        if 0 < begin < end:
            ctypes.memmove(begin, words[: end - begin - 1].ljust(end - begin, b"\0"), end - begin)
