"""Pages of the documentation as programs: their code blocks, each with the file that the text before it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.house.sources import ROOT


@dataclass(frozen=True)
class Block:
    """One code block. `file` is named in the last words before it (`shop.py`:), else ""."""

    language: str
    file: str
    text: str


def blocks(page: str) -> list[Block]:
    """All blocks of a page of docs/, in order."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found, end = [], 0
    for block in re.finditer(r"^```(\w*)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        before = text[end : block.start()].rstrip().rpartition("\n")[2]
        named = re.match(r"`([\w/.-]+\.\w+)`", before)
        found.append(Block(block[1], named[1] if named else "", block[2]))
        end = block.end()
    return found


def write_files(page: str, directory: Path) -> None:
    """Write the page's files as a reader would: a file that is named again goes on."""
    for block in blocks(page):
        if block.file:
            path = directory / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            before = path.read_text(encoding="utf-8") + "\n\n" if path.exists() else ""
            path.write_text(before + block.text, encoding="utf-8")


def commands(page: str) -> list[str]:
    """The page's shell blocks."""
    return [block.text for block in blocks(page) if block.language == "bash"]


def after(page: str) -> list[str]:
    """Each diff of a page, applied: what the reader's file is afterwards."""
    kept = (
        [line[1:] or "\n" for line in block.text.splitlines(keepends=True) if not line.startswith("-")]
        for block in blocks(page)
        if block.language == "diff"
    )
    return ["".join(lines) for lines in kept]
