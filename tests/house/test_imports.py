"""Who may import whom: the contracts of pyproject.toml hold, and the core stands on the standard library alone."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.house.sources import ROOT, imported_modules, python_files

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def test_every_import_keeps_to_the_contracts() -> None:
    done = subprocess.run([LINT_IMPORTS], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_core_imports_only_the_standard_library_and_itself() -> None:
    strangers = {
        f"{path.relative_to(ROOT)} imports {module}"
        for path in python_files("sso_server/core")
        for module in imported_modules(path)
        if not module.startswith("sso_server.core") and module.split(".")[0] not in sys.stdlib_module_names
    }
    assert strangers == set()


def test_the_core_reads_no_clock_no_environment_and_no_network() -> None:
    forbidden = {"time", "socket", "http", "urllib", "os", "random", "secrets", "sqlite3", "asyncio", "subprocess"}
    # urllib.parse only takes strings apart.
    found = {
        f"{path.relative_to(ROOT)} imports {module}"
        for path in python_files("sso_server/core")
        for module in imported_modules(path)
        if module.split(".")[0] in forbidden and not module.startswith("urllib.parse")
    }
    assert found == set()


def test_no_file_is_longer_than_about_350_lines() -> None:
    files = [path for room in ("sso_server", "sso_client", "demo_apps") for path in python_files(room)]
    long = {str(path.relative_to(ROOT)): count for path in files if (count := _lines(path)) > 380}
    assert long == {}


def test_every_module_says_what_it_owns() -> None:
    files = [path for room in ("sso_server", "sso_client", "demo_apps") for path in python_files(room)]
    silent = [str(path.relative_to(ROOT)) for path in files if not ast.get_docstring(ast.parse(path.read_bytes()))]
    assert silent == []


def test_records_are_declared_in_one_way() -> None:
    # A sixth of a start went into what dataclasses compiles for each class (docs/decisions).
    found = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in python_files("sso_server")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(each) == "dataclass(frozen=True, slots=True)" for each in node.decorator_list)
    ]
    assert found == []


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
