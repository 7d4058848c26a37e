"""Reading the project's own sources: files, imports, dotted names."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("sso_server", "sso_client", "demo_apps")


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that git tracks and that exists, as absolute paths; without git, every file that isn't hidden."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, timeout=60).stdout
    except (OSError, subprocess.CalledProcessError):
        found = (path for path in ROOT.rglob("*") if not any(part[0] == "." for part in path.relative_to(ROOT).parts))
        return tuple(path for path in found if path.is_file())
    paths = (ROOT / name for name in listed.decode().split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def python_files(folder: str) -> list[Path]:
    """Every Python file below `folder` (a path relative to the root), sorted."""
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


@cache
def imported_modules(path: Path) -> frozenset[str]:
    """Every module that the file imports, anywhere in it, by full dotted name. `from a import b` gives `a.b`."""
    found: set[str] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


@cache
def dotted_names(path: Path) -> frozenset[str]:
    """Every `a.b.c` that the file spells out, and every module and name it imports."""
    spelt = {ast.unparse(node) for node in ast.walk(_tree(path)) if isinstance(node, ast.Attribute)}
    return imported_modules(path) | {name for name in spelt if name.replace(".", "").replace("_", "").isalnum()}
