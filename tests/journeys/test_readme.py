"""The README's own blocks, run as they stand (but for the ports) from a copy of the checkout, in fresh virtual
environments.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.house.sources import ROOT
from tests.support.browser import Browser
from tests.support.centre import Process, clean_env, tree, wait_until
from tests.support.ports import free_port

pytestmark = pytest.mark.slow


def blocks(language: str) -> list[str]:
    """The README's code blocks in that language, in order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what git tracks, and of nothing else."""
    copy = tmp_path / "lockstep"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


@pytest.fixture
def children() -> Iterator[list[int]]:
    """Processes that blocks left in the background; stopped at the end, by their ids."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        for member in reversed(tree(pid)):
            try:
                os.kill(member, signal.SIGTERM)
            except ProcessLookupError:
                continue


def test_your_site_as_the_readme_tells_it(checkout: Path, tmp_path: Path, children: list[int]) -> None:
    centre_port, site_port = free_port(), free_port()
    register, _exports, install, run_site = (
        block.replace(":9000", f":{centre_port}").replace(":5000", f":{site_port}") for block in blocks("bash")[1:5]
    )
    issuer = f"http://127.0.0.1:{centre_port}"
    environment = {**clean_env(), "SSO_ISSUER": issuer, "FLASK_RUN_PORT": str(site_port)}
    environment.pop("VIRTUAL_ENV", None)

    def bash(script: str, *, env: dict[str, str]) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            check=False,
            cwd=checkout,
            env=env,
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    served = tmp_path / "serve.log"
    # The background process must not hold our pipe; its id is told on the last line.
    script = register.replace(
        "sso serve &", f'sso serve --bind 127.0.0.1:{centre_port} >"{served}" 2>&1 & echo "pid $!"'
    )
    printed = bash(script, env=environment)
    children.append(int(re.search(r"^pid (\d+)$", printed, re.MULTILINE)[1]))  # type: ignore[index]
    exports = dict(re.findall(r"^export (SSO_\w+)=(\S+)$", printed, re.MULTILINE))
    assert set(exports) == {"SSO_ISSUER", "SSO_CLIENT_ID", "SSO_CLIENT_SECRET"}
    wait_until(lambda: requests.get(issuer + "/readyz", timeout=2).ok, why=f"the centre\n{served.read_text()}")

    (seven_lines,) = blocks("python")
    assert len(seven_lines.splitlines()) == 7
    (checkout / "shop.py").write_text(seven_lines)
    bash(install, env=environment)
    script = f'cd "{checkout}" && exec {run_site.strip()}'
    site = Process(["bash", "-c", script], {**environment, **exports}, tmp_path / "site.log")
    site.log.touch()
    site.start()
    try:
        home = f"http://127.0.0.1:{site_port}/"
        wait_until(lambda: requests.get(home + "sso/me", timeout=2), why=site.log.read_text())
        browser = Browser()
        browser.open(home).sign_in("alice", "a good long password")
        assert browser.text == "Hi Alice"
        # "Now sign out at the centre and reload."
        browser.open(issuer + "/sign-out").submit("/sign-out")
        wait_until(lambda: "Hi Alice" not in browser.open(home).text, why="the site to ask again")
        assert 'name="password"' in browser.text
    finally:
        site.stop()


def test_the_chinese_and_the_english_readme_have_the_picture() -> None:
    for name in ("README.md", "README.zh.md"):
        (picture,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / name).read_text(encoding="utf-8"))
        assert (ROOT / picture).stat().st_size > 10_000
