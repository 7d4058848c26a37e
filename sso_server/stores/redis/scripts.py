"""The Lua scripts beside this file: read once, put together with the parts they share, named by their SHA-1.

A script whose first line says `-- uses: session rows` gets scripts/_session.lua and scripts/_rows.lua in front.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "scripts"
_USES = "-- uses: "


@dataclass(frozen=True, slots=True)
class Script:
    """One step of the story, as Redis runs it."""

    name: str
    source: str
    sha: str


def make(name: str, source: str) -> Script:
    """A script of this text."""
    # SHA-1 is how Redis names scripts; nothing rests on its strength.
    return Script(name, source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


@cache
def load(name: str) -> Script:
    """The script `scripts/<name>.lua`."""
    body = (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    first, _, _ = body.partition("\n")
    shared = first.removeprefix(_USES).split() if first.startswith(_USES) else []
    return make(name, "\n".join([*((_FOLDER / f"_{part}.lua").read_text(encoding="utf-8") for part in shared), body]))
