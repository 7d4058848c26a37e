"""Columns and indexes as the tables spell them: the same meaning on SQLite and on PostgreSQL."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Text, text
from sqlalchemy.types import TypeEngine

# Compared byte by byte on both engines: PostgreSQL's own collations skip dashes when they sort.
KEY: TypeEngine[str] = String().with_variant(String(collation="C"), "postgresql")
# SQLite numbers rows by itself only in a column that says INTEGER PRIMARY KEY.
SERIAL: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")


def key(name: str, *, primary: bool = False) -> Column[str]:
    """A name that is looked for or sorted by."""
    return Column(name, KEY, primary_key=primary, nullable=False)


def long_text(name: str) -> Column[str]:
    """Text that nobody looks for."""
    return Column(name, Text, nullable=False)


def ms(name: str, *, optional: bool = False) -> Column[int]:
    """An instant (ms UTC) or a length of time (ms)."""
    return Column(name, BigInteger, nullable=optional)


def flag(name: str) -> Column[bool]:
    """Yes or no."""
    return Column(name, Boolean, nullable=False)


def serial(name: str) -> Column[int]:
    """The primary key that the database counts up."""
    return Column(name, SERIAL, primary_key=True, autoincrement=True)


def partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index over the few rows that matter. Both engines use it only where the query repeats the condition.

    PostgreSQL's condition stands in the migrations, which make the tables: naming it here would load that dialect, 2.6
    MB, in every process.
    """
    return Index(name, *columns, unique=unique, sqlite_where=text(where))
