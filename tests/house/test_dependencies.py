"""Each third-party library has its line in docs/dependencies.md and is imported only in the rooms that line names.

The same for clock, randomness and environment: ruff bans them everywhere, but can only lift all bans of a file at
once; here each owner may use no more than its own.
"""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.sources import PACKAGES, ROOT, dotted_names, imported_modules, python_files

SOURCES = [path for package in PACKAGES for path in python_files(package)]
CLOCK = ("sso_server/clock.py", "sso_client/clock.py")
ENVIRONMENT = ("sso_server/environment.py", "sso_client/settings.py")
OWNERS = {
    "time.time": CLOCK,
    "time.time_ns": CLOCK,
    "datetime.datetime.now": CLOCK,
    "datetime.now": CLOCK,
    "os.environ": ENVIRONMENT,
    "os.getenv": ENVIRONMENT,
    "random": ("sso_server/crypto/identifiers.py",),
    "uuid.uuid4": (),
    "urllib.request": (),
}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of docs/dependencies.md."""
    text = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    part = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def backticked(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


#: import name -> the rooms that may import it
ROOMS = {
    name: backticked(row[3])
    for row in [*rows("What runs"), *rows("What is there already")]
    for name in backticked(row[2])
}


def base_name(requirement: str) -> str:
    return re.split(r"[<>=!~; ]", requirement, maxsplit=1)[0].lower()


def is_in(path: Path, rooms: list[str] | tuple[str, ...]) -> bool:
    name = path.relative_to(ROOT).as_posix()
    return any(name.startswith(room) if room.endswith("/") else name == room for room in rooms)


def test_every_library_that_runs_has_one_line_and_no_line_is_left_over() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {base_name(line): "base" for line in project["dependencies"]}
    for extra, lines in project["optional-dependencies"].items():
        for line in lines:
            asked.setdefault(base_name(line), f"`{extra}`")
    written = {row[0]: row[1] for row in rows("What runs")}
    assert written == asked
    assert len(written) == len(rows("What runs"))


def test_every_library_of_the_workshop_has_one_line() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    asked = sorted(base_name(line) for lines in groups.values() for line in lines)
    assert sorted(row[0] for row in rows("What tests, checks and builds")) == asked


def test_every_line_says_why_who_and_how_to_leave() -> None:
    runs = [*rows("What runs"), *rows("What is there already")]
    assert [row for row in runs if len(row) != 7 or not all(row)] == []
    assert [row for row in rows("What tests, checks and builds") if len(row) != 4 or not all(row)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_each_library_is_imported_only_in_its_rooms(package: str) -> None:
    strangers = set()
    for path in python_files(package):
        for module in imported_modules(path):
            top = module.split(".")[0]
            if top in sys.stdlib_module_names or top in PACKAGES or top == "_typeshed":  # known to mypy alone
                continue
            if not is_in(path, ROOMS.get(top, [])):
                strangers.add(f"{path.relative_to(ROOT)} imports {top}")
    assert strangers == set()


@pytest.mark.parametrize("name", OWNERS)
def test_clock_randomness_and_environment_have_one_owner_each(name: str) -> None:
    users = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if not is_in(path, OWNERS[name])
        and any(found == name or found.startswith(f"{name}.") for found in dotted_names(path))
    ]
    assert users == []
