"""What `.ci/run` makes of tests that fail and of registries that don't answer.

A few tests that failed are tried once more alone, and only what fails twice fails the run. What installs is bounded in
time and tried again.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.sources import ROOT

#: It takes the next line of `answers` for each target of tests: how many fail (`!`: and it is broken off).
MAKE = """#!/bin/bash
echo "$@" >> calls
[ "$1" = setup ] && exec "$(dirname "$0")/install" make setup
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
#: As long as `hangs` says that one does, its registry never answers.
INSTALL = """#!/bin/bash
echo "$@" >> installs
hangs=$(cat hangs); [ "$hangs" = 0 ] && exit 0
echo $((hangs - 1)) > hangs; sleep 60
"""
#: The real one, with a bound that a test can wait for.
TIMEOUT = """#!/bin/bash
while [[ "$1" = --* ]]; do options+=("$1"); shift; done
exec {timeout} "${{options[@]}}" 0.5 "${{@:2}}"
"""
INSTALLS = ["make setup", "system-parts", "system-parts engines", "foreign-packages"]
ALONE = "JOBS=0 TESTS=--last-failed --last-failed-no-failures none"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of which there is nothing but `.ci/run`, and a make that does as it is told."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci/run").write_text((ROOT / ".ci/run").read_text())
    programs = tmp_path / "programs"
    programs.mkdir()
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    install = f'#!/bin/bash\nexec {programs}/install "$(basename "$0")" "$@"\n'
    for path, text in (
        (programs / "make", MAKE),
        (programs / "install", INSTALL),
        (programs / "timeout", TIMEOUT.format(timeout=shutil.which("timeout"))),
        (scripts / "system-parts", install),
        (scripts / "foreign-packages", install),
    ):
        path.write_text(text)
        path.chmod(0o755)
    (tmp_path / "hangs").write_text("0")
    for count in (1, 2, 20, 21):
        names = [f'tests/a.py::test_it[{n}-"x"]' for n in range(count)]
        (programs / f"failed-{count}").write_text(json.dumps(dict.fromkeys(names, True), indent=2))
    return tmp_path


def run(checkout: Path, *answers: str) -> tuple[int, list[str], list[str]]:
    """The exit code, what was printed, and which targets were made after `check`."""
    status, lines = start(checkout, *answers)
    check, *made = (checkout / "calls").read_text().splitlines()[1:]
    assert check == "check"
    return status, lines, made


def start(checkout: Path, *answers: str) -> tuple[int, list[str]]:
    """The exit code, and what was printed."""
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
    return done.returncode, done.stdout.splitlines()


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


def test_what_a_registry_keeps_waiting_is_broken_off_and_tried_again(checkout: Path) -> None:
    (checkout / "hangs").write_text("2")
    status, lines = start(checkout, "0", "0", "0")
    assert (status, lines[2:]) == (0, ["=== 9 passed ==="] * 3)
    assert lines[:2] == [f"Not installed in try {n} of 3: make setup" for n in (1, 2)]
    assert (checkout / "installs").read_text().splitlines() == ["make setup", "make setup", *INSTALLS]


def test_a_registry_that_never_answers_fails_the_run_before_any_test(checkout: Path) -> None:
    (checkout / "hangs").write_text("99")
    assert start(checkout, "0", "0", "0") == (1, [f"Not installed in try {n} of 3: make setup" for n in (1, 2, 3)])
    assert set((checkout / "calls").read_text().splitlines()) == {"setup"}


def test_other_peoples_packages_are_done_without_where_their_registry_never_answers(checkout: Path) -> None:
    (checkout / "tests/foreign").mkdir(parents=True)
    (checkout / "tests/foreign/package.json").write_text("{}")
    script = checkout / "scripts/foreign-packages"
    script.write_text((ROOT / "scripts/foreign-packages").read_text())
    for program, text in (("node", "exit 0"), ("npm", "sleep 60")):
        (checkout / "programs" / program).write_text(f"#!/bin/bash\n{text}\n")
        (checkout / "programs" / program).chmod(0o755)
    for environment, status in (({}, 0), ({"CI": "true"}, 1)):
        path = f"{checkout / 'programs'}:{os.environ['PATH']}"
        done = subprocess.run(
            [script], env={"PATH": path, **environment}, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == status
        assert done.stdout.startswith("Not installed: the packages of tests/foreign")
    assert not list((checkout / "tests/foreign").glob("node_modules/*"))
