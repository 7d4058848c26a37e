"""The quickstarts' own blocks, written to files and run by the command that the page names, against a real centre.

Then the page's own tests, as a reader would run them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from sso_server.cli import main
from tests.house.sources import ROOT
from tests.support.browser import Browser
from tests.support.centre import Centre, Process, clean_env, wait_until
from tests.support.doc_pages import commands, write_files
from tests.support.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("running_centre", ["sqlite"], indirect=True)]

QUICKSTARTS = ["flask", "django", "starlette", "wsgi"]


class Reader:
    """Somebody who does what the page says, under names that no other reader has."""

    def __init__(self, centre: Centre, framework: str, directory: Path) -> None:
        self.centre, self.framework, self.directory = centre, framework, directory
        self.page = f"sdk-{framework}.md"
        self.username, self.client_id, port = f"alice-{framework}", f"shop-{framework}", free_port()
        self.home = f"http://127.0.0.1:{port}"
        at_the_centre, install, start, self.own_tests, *_ = (
            block.replace("5000", str(port)) for block in commands(self.page)
        )
        for name, own in (("alice", self.username), ("shop", self.client_id)):
            at_the_centre = at_the_centre.replace(f" {name} ", f" {own} ")
        for line in install.splitlines():
            if not line.startswith("pip "):
                subprocess.run(self.argv(line), cwd=directory, check=True, capture_output=True, timeout=60)
        write_files(self.page, directory)
        printed = "".join(self._at_the_centre(line) for line in at_the_centre.splitlines())
        exports = dict(re.findall(r"^export (SSO_\w+)=(\S+)$", printed, re.MULTILINE))
        assert set(exports) == {"SSO_ISSUER", "SSO_CLIENT_ID", "SSO_CLIENT_SECRET"}
        self.env = env = {**clean_env(), **exports, "PYTHONPATH": f"{directory}{os.pathsep}{ROOT}"}
        *before, run = start.splitlines()
        for line in before:
            subprocess.run(self.argv(line), cwd=directory, env=env, check=True, capture_output=True, timeout=60)
        script = f"cd {shlex.quote(str(directory))} && exec {shlex.join(self.argv(run))}"
        self.site = Process(["/bin/sh", "-c", script], env, directory / "site.log")

    def _at_the_centre(self, line: str) -> str:
        said, _, command = line.rpartition("|")
        word = shlex.split(said)[1] if said else ""
        done = CliRunner().invoke(main, shlex.split(command)[1:], input=word + "\n", env=self.centre.env)
        assert done.exit_code == 0, done.output
        return done.output

    @staticmethod
    def argv(line: str) -> list[str]:
        """The page's command, with the programs of this environment."""
        program, *rest = shlex.split(line)
        if "=" in program:  # `NAME=value command`
            return ["env", program, *Reader.argv(shlex.join(rest))]
        module = {"django-admin": "django"}.get(program, program)
        return [sys.executable, *rest] if program == "python" else [sys.executable, "-m", module, *rest]


@pytest.fixture(params=QUICKSTARTS)
def reader(request: pytest.FixtureRequest, running_centre: Centre, tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(running_centre, request.param, tmp_path)
    reader.site.start()

    def answers() -> bool:
        assert reader.site.popen is not None
        assert reader.site.popen.poll() is None, reader.site.log.read_text()
        return requests.get(f"{reader.home}/sso/me", timeout=2).ok

    try:
        wait_until(answers, why="the site to answer")
        yield reader
    finally:
        reader.site.stop()


def test_a_reader_signs_in_and_out_and_runs_the_tests_of_the_page(reader: Reader) -> None:
    browser = Browser()
    browser.open(f"{reader.home}/orders").sign_in(reader.username, "a good long password")
    assert browser.text == "Orders of Alice"
    assert browser.open(f"{reader.home}/staff").text == "For staff only"
    assert browser.open(f"{reader.home}/account/address").text == "Your address", "the password was typed just now"
    nobody = requests.get(f"{reader.home}/api/orders", timeout=10)
    assert nobody.status_code == 401
    assert nobody.headers["WWW-Authenticate"].startswith("Bearer ")

    assert "Hi Alice" in browser.open(f"{reader.home}/").text
    # The application around which WSGI's reader puts single sign-on knows nothing of it.
    assert ('src="/sso/tab.js"' in browser.text) == (reader.framework != "wsgi")
    if 'href="/sso/logout"' in browser.text:  # a page that asks; else the form is there
        browser.open(f"{reader.home}/sso/logout")
    assert 'name="logout_form"' in browser.text
    browser.submit("/sso/logout")
    assert browser.url.startswith(reader.centre.issuer)
    browser.open(f"{reader.home}/orders").sign_in(reader.username, "a good long password")
    assert browser.text == "Orders of Alice", "the session at the centre was over, and the page came after the password"

    browser.open(reader.centre.issuer + "/sign-out").submit("/sign-out")
    wait_until(lambda: 'type="password"' in browser.open(f"{reader.home}/orders").text, why="the site to ask again")

    *install, own_tests = reader.own_tests.splitlines()
    assert all(line.startswith("pip ") for line in install)
    assert bool(install) == own_tests.startswith("pytest "), "whoever needs pytest is told to install it"
    done = subprocess.run(
        reader.argv(own_tests),
        cwd=reader.directory,
        # As in CI: nothing there knows the centre.
        env={
            **clean_env(),
            "PYTHONPATH": reader.env["PYTHONPATH"],
            "PYTEST_ADDOPTS": "-q -p no:cacheprovider -W error",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
