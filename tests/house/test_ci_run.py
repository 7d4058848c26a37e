"""What `.ci/run` makes of tests that fail: a few are tried once more alone, and only what fails twice fails the run."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.house.sources import ROOT

#: It takes the next line of `answers` for each target of tests: how many fail (`!`: and it is broken off).
MAKE = """#!/bin/bash
echo "$@" >> calls
[ "$1" = check ] && exit 0
answer=$(head -n 1 answers); sed -i 1d answers
mkdir -p .pytest_cache/v/cache
[ "$answer" = 0 ] && { rm -f .pytest_cache/v/cache/lastfailed; echo "=== 9 passed ==="; exit 0; }
[ "$answer" = lost ] && { echo "=== 1 passed ==="; exit 0; }
cp "$(dirname "$0")/failed-${answer%!}" .pytest_cache/v/cache/lastfailed
echo "=== ${answer%!} failed ==="
[ "${answer%!}" = "$answer" ]; echo "make: *** [Makefile:36: $1] Error $((1 + $?))" >&2
exit 2
"""
ALONE = "JOBS=0 TESTS=--last-failed --last-failed-no-failures none"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of which there is nothing but `.ci/run`, and a make that does as it is told."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci/run").write_text((ROOT / ".ci/run").read_text())
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "make").write_text(MAKE)
    (programs / "make").chmod(0o755)
    for count in (1, 2, 20, 21):
        names = [f'tests/a.py::test_it[{n}-"x"]' for n in range(count)]
        (programs / f"failed-{count}").write_text(json.dumps(dict.fromkeys(names, True), indent=2))
    return tmp_path


def run(checkout: Path, *answers: str) -> tuple[int, list[str], list[str]]:
    """The exit code, what was printed, and which targets were made after `check`."""
    (checkout / "answers").write_text("".join(f"{answer}\n" for answer in answers))
    path = f"{checkout / 'programs'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", str(checkout / ".ci/run")],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    check, *made = (checkout / "calls").read_text().splitlines()
    assert check == "check"
    return done.returncode, done.stdout.splitlines(), made


def test_where_nothing_fails_nothing_is_tried_twice(checkout: Path) -> None:
    assert run(checkout, "0", "0", "0") == (
        0,
        ["=== 9 passed ==="] * 3,
        ["test JOBS=3", "test-engines JOBS=3", "test-failover JOBS=2"],
    )


def test_a_few_that_failed_beside_others_are_named_and_tried_alone(checkout: Path) -> None:
    status, lines, made = run(checkout, "0", "2", "0", "0")
    assert status == 0
    assert made == ["test JOBS=3", "test-engines JOBS=3", f"test-engines JOBS=3 {ALONE}", "test-failover JOBS=2"]
    assert lines[1:] == [
        "=== 2 failed ===",
        "",
        "These failed beside others (2), and are tried once more, one at a time:",
        r"  tests/a.py::test_it[0-\"x\"]",
        r"  tests/a.py::test_it[1-\"x\"]",
        "=== 9 passed ===",
        "=== 9 passed ===",
    ]


def test_what_fails_twice_fails_the_run_and_the_summary_is_the_end(checkout: Path) -> None:
    status, lines, made = run(checkout, "2", "1")
    assert (status, lines[-1]) == (1, "=== 1 failed ===")
    assert made == ["test JOBS=3", f"test JOBS=3 {ALONE}"]


@pytest.mark.parametrize("answer", ["21", "1!"], ids=["too many", "broken off"])
def test_many_that_fail_and_runs_that_are_broken_off_have_no_second_chance(checkout: Path, answer: str) -> None:
    status, lines, made = run(checkout, answer)
    assert (status, lines, made) == (1, [f"=== {answer.removesuffix('!')} failed ==="], ["test JOBS=3"])


def test_a_test_that_was_not_found_again_has_failed(checkout: Path) -> None:
    status, _, made = run(checkout, "20", "lost")
    assert (status, made) == (1, ["test JOBS=3", f"test JOBS=3 {ALONE}"])
