"""Reads the part of Prometheus' language that docs/alerts.yml is written in, strictly: what isn't that is refused."""

import re
from collections.abc import Callable
from typing import NoReturn

DURATION = r"[1-9]\d*(?:ms|[smhdwy])"
_TOKEN = re.compile(
    rf'\s*(?:(?P<range>\[{DURATION}\])|(?P<text>"[^"\\]*")|(?P<number>\d+(?:\.\d+)?)(?![\w.])|(?P<name>[a-zA-Z_:][\w:]*)'
    r"|(?P<sign>=~|!~|!=|==|>=|<=|[=<>+\-*/(){},]))"
)
_AGGREGATIONS = ("sum", "max", "min", "avg", "count")
#: function -> the types that it takes, and the one that it gives
_FUNCTIONS = {
    "time": ((), "scalar"),
    "abs": (("vector",), "vector"),
    "absent": (("vector",), "vector"),
    "rate": (("range",), "vector"),
    "increase": (("range",), "vector"),
    "histogram_quantile": (("scalar", "vector"), "vector"),
}
_BINARY = (("and", "or", "unless"), ("==", "!=", ">", "<", ">=", "<="), ("+", "-"), ("*", "/"))


def type_of(expression: str) -> str:
    """`vector`, `range` or `scalar`. Raises ValueError for what this reader doesn't know."""
    return _Reader(expression).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, at = text, 0
        self._tokens: list[tuple[str, str]] = []
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                self._refuse(f"at {text[at:]!r}")
            self._tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            at = found.end()
        self._tokens.append(("end", ""))

    def _refuse(self, why: str) -> NoReturn:
        raise ValueError(f"{why}: {self._text}")

    def _take(self, *wanted: str, kind: str = "") -> str:
        """The next token, which must be one of these, or of this kind."""
        found, text = self._tokens.pop(0)
        if text not in wanted and found != kind:
            self._refuse(f"{text!r} where {' or '.join(wanted) or kind} belongs")
        return text

    def _next_is(self, *wanted: str) -> bool:
        return self._tokens[0][1] in wanted

    def whole(self) -> str:
        found = self._binary()
        self._take(kind="end")
        return found

    def _binary(self, level: int = 0) -> str:
        if level == len(_BINARY):
            return self._operand()
        left = self._binary(level + 1)
        while self._next_is(*_BINARY[level]):
            sign, right = self._take(*_BINARY[level]), self._binary(level + 1)
            if "range" in (left, right) or (level == 0 and "scalar" in (left, right)):
                self._refuse(f"{left} {sign} {right}")
            if level == 1 and (left, right) == ("scalar", "scalar"):
                self._refuse("two numbers compared")
            left = "scalar" if (left, right) == ("scalar", "scalar") else "vector"
        return left

    def _operand(self) -> str:
        kind, text = self._tokens[0]
        if kind == "number":
            self._take(kind="number")
            return "scalar"
        if text == "(":
            self._take("(")
            found = self._binary()
            self._take(")")
            return found
        name = self._take(kind="name")
        if name in _AGGREGATIONS:
            return self._aggregation(name)
        if self._next_is("("):
            return self._call(name)
        return self._selector()

    def _aggregation(self, name: str) -> str:
        if self._next_is("by", "without"):
            self._take("by", "without")
            self._list(lambda: self._take(kind="name"))
        if self._list(self._binary) != ["vector"]:
            self._refuse(f"{name} of no vector")
        return "vector"

    def _call(self, name: str) -> str:
        if name not in _FUNCTIONS:
            self._refuse(f"{name} is not known")
        takes, gives = _FUNCTIONS[name]
        if self._list(self._binary) != list(takes):
            self._refuse(f"{name} takes {', '.join(takes) or 'nothing'}")
        return gives

    def _list(self, take: Callable[[], str]) -> list[str]:
        found: list[str] = []
        self._take("(")
        while not self._next_is(")"):
            if found:
                self._take(",")
            found.append(take())
        self._take(")")
        return found

    def _selector(self) -> str:
        if self._next_is("{"):
            self._take("{")
            first = True
            while not self._next_is("}"):
                if not first:
                    self._take(",")
                first = False
                self._take(kind="name")
                sign, text = self._take("=", "!=", "=~", "!~"), self._take(kind="text")
                if sign.endswith("~"):
                    re.compile(text[1:-1])
            self._take("}")
        if self._tokens[0][0] == "range":
            self._take(kind="range")
            return "range"
        return "vector"
