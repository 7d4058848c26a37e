"""A pytest plugin that writes down which test covers what, and runs none: `-p tests.conformance.collected`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

#: Where it writes: a path in the environment.
VARIABLE = "LOCKSTEP_COVERS"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One entry for each mark: the test without its parameters, and the ids."""
    found: dict[str, set[str]] = {}
    for item in items:
        for mark in item.iter_markers("covers"):
            found.setdefault(item.nodeid.partition("[")[0], set()).update(mark.args)
    text = json.dumps({test: sorted(ids) for test, ids in found.items()})
    Path(os.environ[VARIABLE]).write_text(text, encoding="utf-8")
