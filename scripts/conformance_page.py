#!/usr/bin/env python3
"""Prints docs/conformance.md: each module and requirement of tests/conformance/, and the tests that show it.

.venv/bin/python scripts/conformance_page.py > docs/conformance.md

Tests say what they show by `@pytest.mark.covers`. With `--gaps` it prints the ids that no test shows instead.
"""

import json
import os
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.conformance.catalogue import Entry, entries, resolve  # noqa: E402  (a script finds the tests by itself)
from tests.conformance.collected import VARIABLE  # noqa: E402  (the same)

#: Nothing is left out, whatever it needs to run: the page is about all tests.
ALL = "engines or failover or not engines"
HEAD = """# Conformance

<!-- Made by scripts/conformance_page.py from tests/conformance/ and the tests' marks. -->

What the OpenID Foundation's conformance suite and the specifications demand of a provider, one line each, and the test
that shows it here. Every test named below runs in `make test`, `make test-engines` or `make test-failover`. The titles
are ours; the suite's modules keep their names. These are our own tests of what the modules check: the suite itself is
run by its own rules, and this page is no certificate.

"""


def covered() -> dict[str, list[str]]:
    """Mark -> the tests that bear it, sorted. Raises CalledProcessError if the tests can't be collected."""
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    marked = [str(path.relative_to(ROOT)) for path in tests if ".covers(" in path.read_text(encoding="utf-8")]
    if not marked:
        return {}
    with tempfile.TemporaryDirectory() as directory:
        written = Path(directory) / "covers.json"
        command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "tests.conformance.collected"]
        command += ["-p", "no:cacheprovider", "-m", ALL, *marked]
        environment = {**os.environ, VARIABLE: str(written), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(  # noqa: S603  (our own tests, found by us)
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.stderr.write(done.stdout + done.stderr)
            done.check_returncode()
        found: dict[str, list[str]] = {}
        for test, marks in json.loads(written.read_text(encoding="utf-8")).items():
            for mark in marks:
                found.setdefault(mark, []).append(test)
    return {mark: sorted(names) for mark, names in found.items()}


def by_entry(listed: list[Entry]) -> tuple[dict[str, list[str]], list[str]]:
    """Id -> its tests, and the marks that mean none of the ids."""
    known = {entry.id for entry in listed}
    found: dict[str, list[str]] = {}
    unknown = []
    for mark, names in covered().items():
        name = resolve(mark, known)
        if name is None:
            unknown.append(f"{mark}: {names[0]}")
        else:
            found[name] = sorted({*found.get(name, ()), *names})
    return found, sorted(unknown)


def gaps(listed: list[Entry], found: dict[str, list[str]]) -> list[str]:
    """The ids with neither a test nor a reason."""
    return [entry.id for entry in listed if not entry.skip and entry.id not in found]


def row(entry: Entry, names: list[str]) -> str:
    """One line of a table."""
    if names:
        shown = "<br>".join(f"[{name.rpartition('::')[2]}](../{name.partition('::')[0]})" for name in names)
    else:
        shown = f"skipped: {entry.skip}" if entry.skip else "**gap**: no test shows it yet"
    return f"| {entry.id} | {entry.demand} | {entry.spec} | {shown} |"


def page(listed: list[Entry], found: dict[str, list[str]]) -> str:
    """The whole page."""
    passed = sum(entry.id in found for entry in listed)
    missing = len(gaps(listed, found))
    text = HEAD + f"{len(listed)} lines: {passed} shown by tests, {len(listed) - passed - missing} skipped"
    text += f" with a reason, {missing} gaps.\n"
    for group, members in groupby(listed, key=lambda entry: entry.group):
        text += f"\n## {group}\n\n| id | what it demands | specification | shown by |\n| --- | --- | --- | --- |\n"
        text += "".join(row(entry, found.get(entry.id, [])) + "\n" for entry in members)
    return text


def main() -> None:
    """To the standard output; a mark that means nothing is an error, so that a slip of the pen is no gap."""
    listed = entries()
    found, unknown = by_entry(listed)
    if unknown:
        sys.exit("marks that tests/conformance/ doesn't know:\n" + "\n".join(unknown))
    print("\n".join(gaps(listed, found)) if "--gaps" in sys.argv[1:] else page(listed, found), end="")


if __name__ == "__main__":
    main()
