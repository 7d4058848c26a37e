"""A process that keeps to one core, and its threads that hash. Each in a process of its own: it can't be taken back."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing keeps to a core")

_ALL = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
_SCRIPT = """
import json, os
from sso_server.crypto import cores
seen = []
look = lambda: seen.append(sorted(os.sched_getaffinity(0)))
cores.keep_to_one({number})
look()
with cores.any_core():
    look()
look()
print(json.dumps([seen, cores.count()]))
"""
_HASHES = """
import json, os
from sso_server.crypto import argon2id, cores
from sso_server.crypto.passwords import Argon2Hasher
cores.keep_to_one(0)
real, seen = argon2id.crypto_pwhash_alg, []
argon2id.crypto_pwhash_alg = lambda *given: seen.append(sorted(os.sched_getaffinity(0))) or real(*given)
hasher = Argon2Hasher(memory_kib=1024, time_cost=1)
known = hasher.hash("x")
hasher.verify(known, "x"), hasher.verify("damaged", "x"), hasher.verify(None, "x")
print(json.dumps(seen))
"""


@pytest.mark.parametrize("number", [0, 1, len(_ALL)])
def test_a_process_keeps_to_one_core_and_what_hashes_may_use_any(number: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT.format(number=number)], capture_output=True, text=True, timeout=60, check=True
    )
    seen, count = json.loads(done.stdout)
    own = [_ALL[number % len(_ALL)]]
    assert seen == [own, _ALL, own]
    assert count == len(_ALL), "the node's, not the process's"


def test_a_password_is_hashed_and_checked_on_any_core() -> None:
    done = subprocess.run([sys.executable, "-c", _HASHES], capture_output=True, text=True, timeout=60, check=True)
    seen = json.loads(done.stdout)
    assert seen == [_ALL] * 4
