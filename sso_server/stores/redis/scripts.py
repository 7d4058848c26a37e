"""The Lua scripts beside this file: read once, put together with the parts they share, named by their SHA-1.

A script whose first line says `-- uses: session rows` gets what it needs of _session.lua and _rows.lua in
front: Redis makes every function anew for every call (all of them took a third of the cheapest steps).
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from sso_server.core.records import record

_FOLDER = Path(__file__).parent / "scripts"
_USES = "-- uses: "
_COMMENT = re.compile(r"^\s*--.*\n", re.MULTILINE)
_DEFINITION = re.compile(r"^local (?:function )?(\w+)", re.MULTILINE)


@record
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
    parts = "\n".join((_FOLDER / f"_{part}.lua").read_text(encoding="utf-8") for part in shared)
    return make(name, _needed(_COMMENT.sub("", parts), _COMMENT.sub("", body)))


def _needed(parts: str, body: str) -> str:
    """The body, and in front of it those definitions of the parts that it uses, or that these use: each uses only what
    stands before it."""
    begins = [*_DEFINITION.finditer(parts)]
    edges = [*(found.start() for found in begins), len(parts)]
    for i in reversed(range(len(begins))):
        if re.search(rf"\b{begins[i][1]}\b", body):
            body = parts[edges[i] : edges[i + 1]] + body
    return body
