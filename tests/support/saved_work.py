"""Work that is the same for every test and that no test is about, saved or done once for each process.

Nothing here changes what a test sees: who wants to look at the machine's authorities, at Python's collector or at
Werkzeug's way of making addresses has to say so in a test of its own.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any
from unittest.mock import patch

from werkzeug.routing import Rule

_INIT: dict[str, Callable[..., None]] = {}
_NO_AUTHORITY = Path(__file__).parent / "no_authority.crt"


def trust_nobody_elses_authorities() -> None:
    """For this process and those it starts. Reading the 140 that a machine usually trusts takes 26 ms, for each sender
    of each test; whoever a test calls is on this machine and shows a certificate that the test made.
    """
    os.environ["SSL_CERT_FILE"] = str(_NO_AUTHORITY)
    os.environ["SSL_CERT_DIR"] = str(_NO_AUTHORITY.with_suffix(""))  # nothing is there


def make_addresses_once() -> None:
    """Each app compiles two functions for each of its addresses, out of nothing but the address: 16 of the 24 ms that
    an app takes. Two apps of one process share them. Rules with defaults are rare, and left alone.
    """
    compile_builder: Any = Rule._compile_builder
    made: dict[tuple[object, ...], Callable[..., tuple[str, str]]] = {}

    def once(self: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        if self.defaults:
            return compile_builder(self, append_unknown)
        key = (self.rule, append_unknown, *self._trace)
        if key not in made:
            made[key] = compile_builder(self, append_unknown)
        builder = made[key]
        assert isinstance(builder, FunctionType)  # bound to its rule by whoever asked
        return builder

    Rule._compile_builder = once  # type: ignore[method-assign]


@contextlib.contextmanager
def collecting_tests() -> Iterator[None]:
    """All that reading 9,000 tests leaves behind is there to stay: the collector needn't look through it meanwhile (7 s
    of processor in each worker), and never again afterwards (a fifth of the time of many tests).
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        # Cycles are still found, at every 20,000 new objects instead of every 700.
        gc.set_threshold(20_000, 10, 10)
        gc.enable()


@contextlib.contextmanager
def small_hashes() -> Iterator[None]:
    """Apps that are made within have real hashes of a hundredth of the size (20 ms of each sign-in otherwise). One made
    with another `hash_memory_kib` finds still that they are to be renewed.
    """
    from sso_server.crypto.passwords import Argon2Hasher

    real = _INIT.setdefault("", Argon2Hasher.__init__)  # a command that runs within another one is here twice

    def small(self: Argon2Hasher, *, memory_kib: int, **more: Any) -> None:
        real(self, memory_kib=memory_kib // 128, time_cost=1, **more)

    with patch.object(Argon2Hasher, "__init__", small):
        yield
