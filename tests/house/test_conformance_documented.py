"""docs/conformance.md is what the tests' marks say today, and each of its lines has a test or a reason."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.catalogue import entries
from tests.house.sources import ROOT

SCRIPT = "scripts/conformance_page.py"


@pytest.fixture(scope="module")
def page() -> str:
    made = subprocess.run([sys.executable, SCRIPT], cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert made.returncode == 0, made.stderr
    return made.stdout


def test_the_page_is_up_to_date(page: str) -> None:
    written = Path(ROOT / "docs/conformance.md").read_text(encoding="utf-8")
    assert page == written, f"renew it: .venv/bin/python {SCRIPT} > docs/conformance.md"


def test_every_line_is_shown_by_a_test_or_has_its_reason(page: str) -> None:
    assert [line for line in page.splitlines() if "**gap**" in line] == []


def test_no_line_stands_there_twice() -> None:
    ids = [entry.id for entry in entries()]
    assert len(set(ids)) == len(ids)
