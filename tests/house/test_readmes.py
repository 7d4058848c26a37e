"""README.md and README.zh.md say the same: the same outline, the same commands and code."""

import re

import pytest

from tests.house.sources import ROOT

ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh.md"


def split(text: str) -> tuple[list[int], list[str]]:
    """The levels of the headings, and the code blocks without their comments (those are translated)."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```[^\n]*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [len(marks) for marks in re.findall(r"^(#+) ", prose, flags=re.MULTILINE)], [code(block) for block in blocks]


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


def test_each_names_the_other() -> None:
    if not CHINESE.exists():
        pytest.skip("README.zh.md is not written yet")
    assert "README.zh.md" in ENGLISH.read_text(encoding="utf-8")
    assert "README.md" in CHINESE.read_text(encoding="utf-8")
