"""docs/conformance.md is what the tests' marks say today, and nothing is missing from it but what is listed here."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.catalogue import entries
from tests.house.sources import ROOT

SCRIPT = "scripts/conformance_page.py"
#: What no test shows yet. It must shrink to nothing.
GAPS = (ROOT / "tests/conformance/gaps.txt").read_text(encoding="utf-8").split("\n")


def printed(*options: str) -> str:
    made = subprocess.run(
        [sys.executable, SCRIPT, *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=240
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


@pytest.fixture(scope="module")
def page() -> str:
    return printed()


def test_the_page_is_up_to_date(page: str) -> None:
    written = Path(ROOT / "docs/conformance.md").read_text(encoding="utf-8")
    assert page == written, f"renew it: .venv/bin/python {SCRIPT} > docs/conformance.md"


def test_every_line_is_shown_by_a_test_or_has_its_reason_or_is_a_listed_gap(page: str) -> None:
    missing = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if "**gap**" in line]
    assert missing == [name for name in GAPS if name], f".venv/bin/python {SCRIPT} --gaps > tests/conformance/gaps.txt"


def test_no_line_stands_there_twice() -> None:
    ids = [entry.id for entry in entries()]
    assert len(set(ids)) == len(ids)
