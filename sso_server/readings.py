"""How the value of one setting is read: from an environment variable's text, or as a value of the type already.

Own code and not pydantic, whose import takes a sixth of a start and 7 MB of each process. The rules and the words are
its own. Which settings there are is config.py's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

_TRUE = frozenset(("1", "on", "t", "true", "y", "yes"))
_FALSE = frozenset(("0", "off", "f", "false", "n", "no"))
_WHOLE = re.compile(r"\s*([+-]?[0-9]+(?:_[0-9]+)*)(?:\.0+)?\s*")


class Secret:
    """A text that doesn't get into logs and tracebacks by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret('{self}')"

    def __str__(self) -> str:
        return "**********" if self._text else ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def whole(default: int, *, ge: int, le: int) -> int:
    """A dataclass field for a whole number within these bounds, both included."""
    number: int = field(default=default, metadata={"ge": ge, "le": le})
    return number


def read(value: object, kind: Any, limits: Mapping[str, int]) -> Any:
    """The value as one of this type: str, Path, Secret, bool, int or a Literal of texts. Raises ValueError in words."""
    if get_origin(kind) is Literal:
        return _one_of(value, get_args(kind))
    if kind is bool:
        return _yes_or_no(value)
    if kind is int:
        return _within(_whole(value), limits)
    if kind in (Secret, Path) and isinstance(value, kind):
        return value
    if not isinstance(value, str):
        raise ValueError("Input should be a valid string")  # noqa: TRY004  (said like all others)
    return kind(value)


def _one_of(value: object, words: tuple[str, ...]) -> object:
    if value not in words:
        *first, last = (f"'{word}'" for word in words)
        raise ValueError(f"Input should be {', '.join(first)} or {last}")
    return value


def _yes_or_no(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word not in _TRUE | _FALSE:
        raise ValueError("Input should be a valid boolean, unable to interpret input")
    return word in _TRUE


def _whole(value: object) -> int:
    if isinstance(value, int):
        return int(value)
    match = _WHOLE.fullmatch(value) if isinstance(value, str) and len(value) < 1000 else None
    if match is None:
        raise ValueError("Input should be a valid integer, unable to parse string as an integer")
    return int(match[1])


def _within(number: int, limits: Mapping[str, int]) -> int:
    if number < limits["ge"]:
        raise ValueError(f"Input should be greater than or equal to {limits['ge']}")
    if number > limits["le"]:
        raise ValueError(f"Input should be less than or equal to {limits['le']}")
    return number
