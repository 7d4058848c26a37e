"""Keeps the run's processes alive: what dies is started again at once, and nothing outlives the run.

The product's own supervisor gives a process up that dies five times within seconds of its start; here that is the plan.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1


@dataclass
class _Kept:
    argv: list[str]
    env: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    wanted: bool = True


class Keeper:
    """Processes by name. Only those that were started here are ever signalled."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self.restarts: dict[str, int] = {}
        self._thread = threading.Thread(target=self._watch, name="keeper", daemon=True)
        self._thread.start()

    def start(self, name: str, argv: list[str], env: dict[str, str], log: Path) -> None:
        """Start it, and again whenever it dies; a name that is known is started with the new arguments."""
        with self._lock:
            kept = _Kept(argv, env, log)
            self._kept[name] = kept
            self._launch(kept)

    def again(self, name: str) -> None:
        """Start what was stopped or killed for good."""
        with self._lock:
            kept = self._kept[name]
            kept.wanted = True
            if kept.process is None or kept.process.poll() is not None:
                self._launch(kept)

    def kill(self, name: str, *, for_good: bool = False) -> None:
        """SIGKILL. `for_good`: until `again`."""
        with self._lock:
            kept = self._kept[name]
            kept.wanted = not for_good
            if kept.process is not None:
                _signal_group(kept.process, signal.SIGKILL)
                kept.process.wait(10)

    def stop(self, name: str, timeout_s: float = 20) -> None:
        """SIGTERM, then SIGKILL."""
        with self._lock:
            kept = self._kept[name]
            kept.wanted = False
            process = kept.process
        if process is not None and process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout_s)
            _signal_group(process, signal.SIGKILL)
            process.wait(10)

    def signal(self, name: str, number: int) -> None:
        """To that process alone."""
        with self._lock:
            process = self._kept[name].process
        if process is not None and process.poll() is None:
            process.send_signal(number)

    def close(self) -> None:
        """Everything ends: asked first, all at once, then killed."""
        self._stop.set()
        with self._lock:
            alive = [k.process for k in self._kept.values() if k.process is not None and k.process.poll() is None]
            for kept in self._kept.values():
                kept.wanted = False
        for process in alive:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        deadline = time.monotonic() + 5
        for process in alive:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            _signal_group(process, signal.SIGKILL)
            process.wait(10)
        # Last of all: a child whose starting thread ends is told to die.
        self._thread.join(5)

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            with self._lock:
                for name, kept in self._kept.items():
                    if kept.wanted and kept.process is not None and kept.process.poll() is not None:
                        self.restarts[name] = self.restarts.get(name, 0) + 1
                        # Whatever the dead one had started goes with it.
                        _signal_group(kept.process, signal.SIGKILL)
                        if kept.process.returncode != -signal.SIGKILL:
                            self._stop.wait(0.2)
                        self._launch(kept)

    def _launch(self, kept: _Kept) -> None:
        with kept.log.open("ab") as log:
            kept.process = subprocess.Popen(
                kept.argv,
                env=kept.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509  (it allocates nothing and takes no lock)
            )


def die_with_parent() -> None:
    """A suite that is killed with -9 leaves nothing running (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
