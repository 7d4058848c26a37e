"""`mypy --strict` on applications that use the SDK, as their owners run it: with their own settings, on what is
installed.

What is right passes, and each mistake in them is found: a `type: ignore` that hides none is itself an error.
"""

import subprocess
import sys

from tests.house.sources import ROOT

APPS = ROOT / "tests/house/typed_apps"


def test_a_type_checker_knows_the_sdk_in_applications_of_every_framework() -> None:
    files = sorted(path.name for path in APPS.glob("*.py"))
    assert len(files) == 6
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--no-error-summary"]
    command += ["--cache-dir", str(ROOT / ".mypy_cache/typed_apps"), *files]
    done = subprocess.run(command, cwd=APPS, capture_output=True, text=True, check=False, timeout=300)
    assert (done.stdout, done.returncode) == ("", 0), done.stdout + done.stderr


def test_those_applications_excuse_nothing_of_the_sdks() -> None:
    assert "sso_client" not in (APPS / "mypy.ini").read_text(encoding="utf-8")
    assert (ROOT / "sso_client/py.typed").is_file()
