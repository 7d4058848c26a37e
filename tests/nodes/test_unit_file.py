"""The documented systemd unit is one that systemd takes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "docs/nodes/lockstep.service"


def test_systemd_has_nothing_to_say_against_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    text = UNIT.read_text()
    assert "/opt/lockstep/bin/sso" in text
    unit = tmp_path / UNIT.name
    # It looks whether the program is there.
    unit.write_text(text.replace("/opt/lockstep/bin/sso", str(Path(sys.executable).with_name("sso"))))
    done = subprocess.run([program, "verify", str(unit)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
