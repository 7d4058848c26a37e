"""README.md and README.zh.md say the same: the same outline, the same commands and code, the demo in their language."""

import re
import tomllib
from pathlib import Path

import pytest

from sso_server.cli.demo_words import STEPS
from tests.house.sources import ROOT

ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh.md"


def split(text: str) -> tuple[list[int], list[str]]:
    """The levels of the headings, and the code blocks without what is translated: comments, what a program prints."""
    blocks = re.findall(r"^```([^\n]*)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```[^\n]*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [len(marks) for marks in re.findall(r"^(#+) ", prose, flags=re.MULTILINE)], [
        code(block) for kind, block in blocks if kind != "text"
    ]


def code(block: str) -> str:
    lines = (re.sub(r"(^|\s+)#.*$", "", line).rstrip() for line in block.splitlines())
    return "\n".join(line for line in lines if line)


@pytest.fixture(scope="module")
def readmes() -> tuple[tuple[list[int], list[str]], tuple[list[int], list[str]]]:
    if not CHINESE.exists():
        pytest.skip("README.zh.md is not written yet")
    return split(ENGLISH.read_text(encoding="utf-8")), split(CHINESE.read_text(encoding="utf-8"))


def test_both_have_the_same_outline(readmes: tuple[tuple[list[int], list[str]], ...]) -> None:
    (english, _), (chinese, _) = readmes
    assert chinese == english


def test_both_have_the_same_code_blocks(readmes: tuple[tuple[list[int], list[str]], ...]) -> None:
    (_, english), (_, chinese) = readmes
    assert chinese == english


@pytest.mark.parametrize(("readme", "language"), [(ENGLISH, "en"), (CHINESE, "zh")])
def test_what_the_demo_prints_is_shown_in_the_readers_language(readme: Path, language: str) -> None:
    (shown,) = re.findall(r"^```text\n(.*?)^```", readme.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    printed = STEPS[language].format(
        alice="....-....-....",
        bob="....-....-....",
        one="http://site-one.localhost:9001",
        two="http://site-two.localhost:9002",
        three="http://site-three.localhost:9003",
        issuer="http://127.0.0.1:9000",
        data="",
    )
    steps, _, last = printed.strip("\n").rpartition("\n\n")
    assert shown.rstrip("\n") == steps
    assert "Ctrl-C" in last


def test_each_names_the_other() -> None:
    if not CHINESE.exists():
        pytest.skip("README.zh.md is not written yet")
    assert "README.zh.md" in ENGLISH.read_text(encoding="utf-8")
    assert "README.md" in CHINESE.read_text(encoding="utf-8")


def test_what_a_reader_makes_in_the_checkout_is_nobody_elses_business() -> None:
    text = ENGLISH.read_text(encoding="utf-8")
    made = {*re.findall(r"-m venv (\S+)", text), *re.findall(r"^Seven lines .*`(\S+\.py)`", text, flags=re.MULTILINE)}
    assert len(made) == 2
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    unchecked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["extend-exclude"]
    assert [name for name in made if not {f"/{name}", f"/{name}/"} & set(ignored) or name not in unchecked] == []
