"""What a conforming provider must show, read from the text files beside this: modules and requirements by their ids.

Which test shows it is the tests' to say (`@pytest.mark.covers`); `scripts/conformance_page.py` brings the two together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).parent
FAPI = "fapi2-security-profile-final-"
#: The plan Form Post is the plan Basic once more with the answers in forms; its modules bear the same names.
BASIC, FORM_POST = "Basic", "Form Post"
#: file -> what stands before each name in it
FILES = {"modules.txt": "", "fapi.txt": FAPI, "lines.txt": "line-"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One module or one requirement."""

    id: str
    group: str
    """The heading that it stands under."""
    spec: str
    demand: str
    """In our own words."""
    skip: str = ""
    """Why it can't apply; empty: a test must show it."""


def entries() -> list[Entry]:
    """All of them, in the order of the page. Raises ValueError for a line that is none."""
    found: list[Entry] = []
    for name, prefix in FILES.items():
        group = ""
        for line in (HERE / name).read_text(encoding="utf-8").splitlines():
            if line.startswith("== "):
                group = line[3:]
            elif line and not line.startswith("# "):
                parts = [part.strip() for part in line.split(" | ")]
                if not 3 <= len(parts) <= 4:
                    raise ValueError(f"{name}: {line}")
                found.append(Entry(prefix + parts[0], group, *parts[1:]))
    basic = [entry for entry in found if entry.group == BASIC]
    after = found.index(basic[-1]) + 1
    found[after:after] = [replace(entry, id=in_a_form(entry.id), group=FORM_POST) for entry in basic]
    return found


def in_a_form(module: str) -> str:
    """The id of a Basic module in the plan Form Post."""
    return f"{module} (form_post)"


def resolve(mark: str, known: set[str]) -> str | None:
    """The id that a mark means: its own, or that of a FAPI module by its short name. None if there is none."""
    for name in (mark, FAPI + mark, FAPI + mark.removeprefix("fapi2-")):
        if name in known:
            return name
    return None
