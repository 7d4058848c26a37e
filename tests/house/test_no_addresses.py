"""What must never be committed: download addresses, paths of somebody's machine, lock files that record either."""

import re
from pathlib import Path

import pytest

from tests.house.sources import ROOT, tracked_files

LOCK_FILES = {
    "poetry.lock", "uv.lock", "pdm.lock", "pylock.toml", "Pipfile.lock", "package-lock.json", "yarn.lock",
    "pnpm-lock.yaml", "pip.conf", ".netrc", ".pypirc", ".npmrc",
}  # fmt: skip
SECRET_FILES = re.compile(r"(^|/)(\.env|id_rsa|.*\.pem|.*\.key|.*\.sqlite3?|.*\.db)$")

#: Written in pieces, so that this file doesn't find itself.
HOSTS = ["pypi" + ".org", "files.python" + "hosted.org", "registry.npm" + "js.org", "docker" + ".io", "ghcr" + ".io"]
OPTIONS = ["--index" + "-url", "--extra-index" + "-url", "--find" + "-links", "--trusted" + "-host"]
#: A home or a build machine's folder. /tmp alone is fine: programs use it.
MACHINE_PATH = re.compile(r"(?<![\w.$}<:/-])/(home/[a-z]|Users/[A-Za-z]|" + "root/|work/|tmp/" + "build)")


def texts() -> list[tuple[str, str]]:
    found = []
    for path in tracked_files():
        try:
            found.append((str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue  # a picture
    return found


@pytest.mark.parametrize("words", [HOSTS, OPTIONS], ids=["hosts", "options"])
def test_no_file_says_where_packages_are_downloaded_from(words: list[str]) -> None:
    assert [(name, word) for name, text in texts() for word in words if word in text] == []


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    assert [(name, hit.group()) for name, text in texts() if (hit := MACHINE_PATH.search(text))] == []


def test_no_lock_file_and_no_secret_is_tracked() -> None:
    names = [str(path.relative_to(ROOT)) for path in tracked_files()]
    assert [name for name in names if Path(name).name in LOCK_FILES or SECRET_FILES.search(name)] == []


def test_constraints_are_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []
