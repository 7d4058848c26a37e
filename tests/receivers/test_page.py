"""The commands of docs/receive-logout.md start receivers that listen where the page registers them."""

import re
import shlex
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.receivers.conftest import ROOT
from tests.support.centre import Process, clean_env, wait_until
from tests.support.ports import free_port
from tests.support.services import find_node

PAGE = (ROOT / "docs/receive-logout.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]
(ADDRESS,) = set(re.findall(r"--backchannel-logout-uri (\S+)", PAGE))


@pytest.mark.parametrize("program", ["flask", pytest.param("node", marks=pytest.mark.node)])
def test_a_command_of_the_page_starts_a_receiver_at_the_registered_address(program: str, tmp_path: Path) -> None:
    (line,) = [line for line in COMMANDS if re.search(rf"(^| |/){program} (--app )?docs/receivers/", line)]
    registered = urlsplit(ADDRESS)
    port = free_port()
    assert line.count(str(registered.port)) == 1
    words = shlex.split(line.replace(str(registered.port), str(port)))
    settings = [word for word in words if re.match(r"[A-Z_]+=", word)]
    assert f"POST {registered.path} HTTP/1.1" in PAGE
    command = [sys.executable, "-m", "flask"] if program == "flask" else [find_node() or ""]
    argv = [*command, *(str(ROOT / word) if word.startswith("docs/") else word for word in words[len(settings) + 1 :])]
    process = Process(argv, {**clean_env(), **dict(word.split("=", 1) for word in settings)}, tmp_path / "log")
    process.start()
    try:
        address = registered._replace(netloc=f"{registered.hostname}:{port}").geturl()

        def status() -> int:
            try:
                return requests.post(address, data={"logout_token": "x"}, timeout=10).status_code
            except requests.ConnectionError:
                return 0

        wait_until(lambda: status() == 400, why="the receiver to refuse what is no token")
    finally:
        process.stop()
