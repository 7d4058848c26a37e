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


@pytest.mark.parametrize("number", [0, 1, len(_ALL)])
def test_a_process_keeps_to_one_core_and_what_hashes_may_use_any(number: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT.format(number=number)], capture_output=True, text=True, timeout=60, check=True
    )
    seen, count = json.loads(done.stdout)
    own = [_ALL[number % len(_ALL)]]
    assert seen == [own, _ALL, own]
    assert count == len(_ALL), "the node's, not the process's"
