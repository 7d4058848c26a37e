"""What the command leaves in the data directory: files for its user alone, and none from a start that failed."""

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import PASSWORD, Sso


def test_every_file_is_private_even_in_a_directory_that_all_may_read(sso: Sso, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    data.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "sso_server.cli", "user", "add", "alice", "--password-stdin"],
        env={**os.environ, **sso.env},
        input=PASSWORD,
        text=True,
        umask=0o022,
        check=True,
        timeout=60,
    )
    assert done.returncode == 0
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in data.iterdir()}
    assert "lockstep.sqlite3" in modes
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}


def test_the_mask_is_put_back_for_whoever_calls_the_command_from_python(sso: Sso) -> None:
    before = os.umask(0o022)
    try:
        sso.run("user", "list")
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


COMMAND = ("-m", "sso_server.cli", "user", "list")
KEYS = ("-c", "from sso_server import config, secret_key; secret_key.secret_keys(config.load())")


@pytest.mark.parametrize(
    ("room", "what", "sentence"),
    [(0, COMMAND, "Error: The settings are wrong:\n  SSO_DATA_DIR: cannot write to"), (1, KEYS, "cannot write")],
)
def test_a_full_disk_at_the_start_leaves_no_piece_of_a_file(
    sso: Sso, tmp_path: Path, room: int, what: tuple[str, ...], sentence: str
) -> None:
    # A file may have `room` bytes: none for the probe, or that one and no more for the key.
    done = subprocess.run(
        [sys.executable, "-B", *what],
        env={**os.environ, **sso.env},
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert sentence in done.stderr
    assert list((tmp_path / "data").iterdir()) == []
