"""What one look showed: how it went, a stable code, the facts. In which words, is `words`' business."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sso_client.doctor.texts import text_of
from sso_client.error_text import ErrorText

#: A fact in a sentence: an address, a number, a name.
Fact = str | int | float


class Level(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `seen` names a sentence of `words.SEEN`, `facts` fill its gaps."""

    check: str
    level: Level
    seen: str
    facts: tuple[tuple[str, Fact], ...] = ()
    code: str = ""
    """A key of `error_texts` or of `texts`; empty when nothing is to be mended."""
    advice: str = ""
    """What the centre advises, in its own words."""

    @property
    def text(self) -> ErrorText | None:
        """Cause and cure, if something is to be mended."""
        return text_of(self.code) if self.code else None


def ok(check: str, seen: str, **facts: Fact) -> Finding:
    """As it should be."""
    return Finding(check, Level.OK, seen, tuple(facts.items()))


def warning(check: str, code: str, seen: str, **facts: Fact) -> Finding:
    """It works, but not well, or not for long."""
    return Finding(check, Level.WARNING, seen, tuple(facts.items()), code)


def problem(check: str, code: str, seen: str, **facts: Fact) -> Finding:
    """People can't sign in, or signing out doesn't do what is promised."""
    return Finding(check, Level.PROBLEM, seen, tuple(facts.items()), code)


def unknown(check: str, seen: str, **facts: Fact) -> Finding:
    """Nobody is there who could be asked; no fault by itself."""
    return Finding(check, Level.UNKNOWN, seen, tuple(facts.items()))


def verdict(findings: Iterable[Finding]) -> Level:
    """That of the worst finding."""
    levels = {finding.level for finding in findings}
    return next((level for level in (Level.PROBLEM, Level.WARNING) if level in levels), Level.OK)
