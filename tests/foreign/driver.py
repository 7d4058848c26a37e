"""A Node program that plays a site, and asks for what only a browser can do: the browser and the person are here."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.conformance.relying_party import Person
from tests.support.centre import PASSWORD, clean_env
from tests.support.services import find_node
from tests.support.survivors import end_with_us

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
#: Nothing that these stories do takes a tenth of this.
PATIENCE_S = 60
Approve = Callable[[Person, str, str], None]


@cache
def new_enough_node() -> str | None:
    """The path of a Node that runs the packages (20.19 or newer): the system's, or the one that
    scripts/foreign-packages installed beside them. None: there is none."""
    for node in filter(None, (find_node(), shutil.which(MODULES / "node/bin/node"))):
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
        if tuple(int(number) for number in said.strip().lstrip("v").split(".")[:2]) >= (20, 19):
            return node
    return None


def told(story: str, site: dict[str, Any], person: Person, approve: Approve | None = None) -> Any:
    """What the story came to. `approve`: what the person does about a device at an address, with its code."""
    with program("openid_client.mjs", story, SITE=json.dumps(site)) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for line in running.stdout:
            message = json.loads(line)
            if "done" in message:
                return message["done"]
            if "approve" in message:
                assert approve is not None
                approve(person, message["approve"], message["code"])
                answer: dict[str, Any] = {}
            else:
                answer = visit(person, message["open"])
            running.stdin.write(json.dumps(answer) + "\n")
            running.stdin.flush()
        raise AssertionError(f"{story}: {running.stderr.read() if running.stderr else ''}")


def visit(person: Person, url: str) -> dict[str, Any]:
    """The browser goes there, signs in and consents where it is asked, and says where it came out at the site."""
    person.site.arrived.clear()
    person.open(url)
    if 'name="password"' in person.text:
        person.asked += 1
        person.sign_in(person.username, PASSWORD)
    if not person.site.arrived and 'action="/consent"' in person.text:
        person.submit("/consent")
    if not person.site.arrived and "data-submit" in person.text:
        person.submit("https://")
    assert person.site.arrived, (person.url, person.page.status_code, person.text[:2000])
    request = person.site.arrived[-1]
    return {"url": request.url, "body": request.body}


@contextlib.contextmanager
def program(*command: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """`node COMMAND` with these variables in its environment, while the block runs and at most a minute."""
    node = new_enough_node()
    assert node is not None
    running = subprocess.Popen(
        [node, *command],
        cwd=HERE,
        env={**clean_env(), "NO_PROXY": os.environ["NO_PROXY"], **more},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end_with_us(running.pid)
    impatient = threading.Timer(PATIENCE_S, running.kill)
    impatient.start()
    try:
        yield running
    finally:
        impatient.cancel()
        running.kill()
        running.communicate(timeout=10)
