"""The wheel: one build, everything inside that runs, and no more than the SDK's libraries in the base install."""

import email
import re
import subprocess
import sys
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from tests.house.sources import PACKAGES, ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    target = tmp_path_factory.mktemp("wheel")
    # No isolation: hatchling is part of the set-up, so that this test needs no network.
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(target), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.glob("lockstep_sso-*.whl")
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return email.message_from_bytes(wheel.read(name))


def in_the_tree() -> set[str]:
    files = {path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()}
    return {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}


@pytest.mark.parametrize(
    "suffix", [".py", "py.typed", ".html", ".txt", ".css", ".js", ".svg", ".lua", ".po", ".mo", ".mako", ".ini"]
)
def test_every_file_of_this_kind_is_in_the_wheel(wheel: zipfile.ZipFile, suffix: str) -> None:
    assert {name for name in in_the_tree() if name.endswith(suffix)} - set(wheel.namelist()) == set()


def test_both_packages_are_typed(wheel: zipfile.ZipFile) -> None:
    assert {"sso_server/py.typed", "sso_client/py.typed"} <= set(wheel.namelist())


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {Path(name).parts[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} <= set(PACKAGES)


def test_the_base_install_is_the_sdk_and_its_three_libraries(metadata: Message) -> None:
    required = metadata.get_all("Requires-Dist", [])
    base = {re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0].lower() for line in required if "extra ==" not in line}
    assert base == {"pyjwt", "requests", "itsdangerous"}


def test_the_metadata_names_the_licence_and_the_oldest_python(metadata: Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_wheel_brings_the_sso_command(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    assert "sso = sso_server.cli:main" in wheel.read(name).decode()


def test_the_wheel_brings_the_fixtures_for_a_sites_own_tests(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    assert "[pytest11]\nlockstep_sso = sso_client.testing.plugin" in wheel.read(name).decode()
