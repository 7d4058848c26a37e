"""The CAS page's worked example, run as it stands but for ports and names: it prints what the page shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import ROOT
from tests.support.centre import Centre, clean_env
from tests.support.ports import free_port

pytestmark = pytest.mark.slow
PAGES = (ROOT / "docs/cas.md", ROOT / "docs/cas.zh.md")
PASSWORD = "a good long password"
#: What is another one each time.
CHANGING = (
    (r"ST-\d\d-[a-z2-7]{32}", "TICKET"),
    (r"sid-\d\d-[a-z2-7]{32}", "SID"),
    (r"\d{4}-\d\d-\d\d[ T][\d:.]+Z?", "MOMENT"),
    (r" {2,}", "  "),
)


def blocks(page: Path) -> list[tuple[str, str]]:
    """The code blocks of its second section, which is the example, with their languages."""
    example = page.read_text(encoding="utf-8").split("\n## ")[1]
    return re.findall(r"^```(\w+)\n(.*?)^```", example, flags=re.MULTILINE | re.DOTALL)


def settled(text: str) -> str:
    """The text without what is another one each time."""
    for pattern, word in CHANGING:
        text = re.sub(pattern, word, text)
    return text.strip()


@pytest.mark.parametrize("running_centre", ["sqlite"], indirect=True)
def test_the_worked_example_prints_what_the_page_shows(running_centre: Centre, tmp_path: Path) -> None:
    with running_centre.core() as built:
        built.services.accounts.add("alice-by-curl", PASSWORD, name="Alice", actor="test")
    commands = "".join(text for language, text in blocks(PAGES[0]) if language == "bash")
    shown = "".join(text for language, text in blocks(PAGES[0]) if language != "bash")
    for stands, here in (
        (".venv/bin/sso", f"{sys.executable} -m sso_server.cli"),
        ("http://127.0.0.1:9000", running_centre.issuer),
        (":5000", f":{free_port()}"),
        ("username=alice", "username=alice-by-curl"),
        ("add wiki", "add by-curl"),
    ):
        assert stands in commands
        commands = commands.replace(stands, here)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env={**clean_env(), **running_centre.env, "no_proxy": "*"},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said = re.sub(r":\d{4,5}/page", ":5000/page", done.stdout.replace("alice-by-curl", "alice"))
    registered, _, printed = said.partition("http://127.0.0.1:5000")
    assert "is registered" in registered
    lines = [line.rstrip() for line in settled(f"http://127.0.0.1:5000{printed}").splitlines()]
    # Others' sessions end in the same centre.
    lines = [line for line in lines if not line.startswith("SID") or " alice " in line]
    assert lines == [line.rstrip() for line in settled(shown).splitlines()]


def test_the_page_shows_the_same_example_in_both_languages() -> None:
    english, chinese = (blocks(page) for page in PAGES)
    assert chinese == english
