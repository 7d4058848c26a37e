"""`@record`: what it makes is a frozen dataclass with slots, whatever it spares."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, is_dataclass, replace

import pytest

from sso_server.core.records import record


@record
class Visit:
    """With all that a field may have."""

    who: str
    pages: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)
    notes: list[str] = field(default_factory=list, compare=False)


@dataclass(frozen=True, slots=True)
class Plain:
    """The same, by dataclasses alone."""

    who: str
    pages: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)
    notes: list[str] = field(default_factory=list, compare=False)


@record
class Own:
    """Has a text of its own."""

    secret: str

    def __repr__(self) -> str:
        return "Own()"


def test_records_are_equal_if_all_that_counts_is_equal() -> None:
    assert Visit("a", ("b",), notes=["x"]) == Visit("a", ("b",), notes=["y"])
    assert Visit("a", ("b",), "s") != Visit("a", ("b",), "t")
    assert Visit("a") != Visit("b")
    assert Own("a") == Own("a") != Own("b")


def test_a_record_of_another_class_is_another() -> None:
    assert Visit("a") != Plain("a")
    assert Own("a") != "a"


def test_equal_records_are_one_in_a_set() -> None:
    assert len({Visit("a"), Visit("a", notes=["x"]), Visit("b")}) == 2


def test_its_text_is_the_dataclasses_and_keeps_to_itself_what_is_not_to_be_printed() -> None:
    shown = repr(Visit("a", ("b",), "s3cret", ["n"]))
    assert shown == repr(Plain("a", ("b",), "s3cret", ["n"])).replace("Plain", "Visit")
    assert "s3cret" not in shown


def test_what_a_class_says_itself_stays() -> None:
    assert repr(Own("s3cret")) == "Own()"


def test_nothing_of_it_can_be_changed_and_nothing_added() -> None:
    visit = Visit("a")
    with pytest.raises(FrozenInstanceError):
        visit.who = "b"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del visit.who
    assert not hasattr(visit, "__dict__")


def test_dataclasses_know_it_as_one_of_theirs() -> None:
    visit = Visit("a", ("b",))
    assert is_dataclass(visit)
    assert [each.name for each in fields(visit)] == [each.name for each in fields(Plain)]
    assert replace(visit, who="c") == Visit("c", ("b",))
    assert asdict(visit) == {"who": "a", "pages": ("b",), "secret": "", "notes": []}
    match visit:
        case Visit(who, pages):
            assert (who, pages) == ("a", ("b",))


def test_it_can_be_copied_and_pickled() -> None:
    visit = Visit("a", ("b",), "s", ["n"])
    assert copy.deepcopy(visit) == copy.copy(visit) == visit
    assert pickle.loads(pickle.dumps(visit)) == visit
