"""`@record`: how a record is declared. It is `dataclass(frozen=True, slots=True)`, made in two thirds of the time.

dataclasses writes and compiles comparison, hash and text anew for each class. There are 150 of ours, and making them
was a sixth of a start. Here each class has an `__init__` of its own, and the rest is shared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from reprlib import recursive_repr
from typing import Any, TypeVar, dataclass_transform

Kind = TypeVar("Kind")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[Kind]) -> type[Kind]:
    """The class as a frozen dataclass with slots; `fields`, `replace` and `asdict` know it as one. What it defines
    itself stays."""
    made = dataclass(frozen=True, slots=True, eq=False, repr=False)(cls)
    shared = {**_comparing(made), "__repr__": _text}
    for name, method in shared.items():
        if name not in vars(cls):
            setattr(made, name, method)
    return made


def _comparing(made: Any) -> dict[str, Callable[..., Any]]:
    values = attrgetter(*(each.name for each in fields(made) if each.compare))

    def equal(self: object, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: object) -> int:
        return hash(values(self))

    return {"__eq__": equal, "__hash__": hashed}


@recursive_repr()
def _text(self: Any) -> str:
    # A field that isn't to be printed has a secret.
    said = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{self.__class__.__qualname__}({', '.join(said)})"
