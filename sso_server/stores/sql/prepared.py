"""Statements of the hot steps: compiled once, then run by the driver itself, inside the caller's transaction.

SQLAlchemy's way from a compiled statement to a row takes 45 us, on SQLite nine times what the query does. What an error
of the driver means is still SQLAlchemy's and engine.py's to say.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sso_server.core.records import record


class Prepared:
    """One statement without `expanding` parameters; its rows have an attribute for each column. Thread-safe."""

    def __init__(self, statement: sa.Select[Any] | sa.UpdateBase | sa.TextClause) -> None:
        self.statement = statement
        self._forms: dict[str, _Form] = {}

    def find(self, connection: Connection, values: Mapping[str, object]) -> Any:
        """The first row; None: there is none."""
        form = self._form(connection, values)
        found = _run(connection, "execute", form.sql, form.bind(values)).fetchone()
        return None if found is None else form.row(found)

    def find_all(self, connection: Connection, values: Mapping[str, object]) -> list[Any]:
        """All rows."""
        form = self._form(connection, values)
        return [form.row(found) for found in _run(connection, "execute", form.sql, form.bind(values)).fetchall()]

    def run(self, connection: Connection, values: Mapping[str, object]) -> int:
        """How many rows it changed."""
        form = self._form(connection, values)
        count: int = _run(connection, "execute", form.sql, form.bind(values)).rowcount
        return count

    def run_each(self, connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Once for each of the `rows`, at least one."""
        form = self._form(connection, rows[0])
        _run(connection, "executemany", form.sql, [form.bind(values) for values in rows])

    def _form(self, connection: Connection, values: Mapping[str, object]) -> _Form:
        name = connection.dialect.name
        if (form := self._forms.get(name)) is None:
            form = self._forms[name] = _form_of(self.statement, connection.dialect, values)
        return form


@record
class _Form:
    """A statement as one driver takes it."""

    sql: str
    bind: Callable[[Mapping[str, object]], Any]
    row: Callable[[Sequence[Any]], Any]


def _form_of(statement: Any, dialect: sa.Dialect, values: Mapping[str, object]) -> _Form:
    # Of an INSERT the values say which columns it writes; all else names its parameters itself.
    names = list(values) if isinstance(statement, sa.Insert) else None
    compiled: Any = statement.compile(dialect=dialect, column_keys=names)
    # Constants of the statement (a kind, a limit) are parameters, too.
    fixed = {name: value for name, value in compiled.params.items() if value is not None}
    bind: Callable[[Mapping[str, object]], Any]
    if not compiled.positional or not compiled.positiontup:

        def bind(values: Mapping[str, object]) -> Any:
            return {**fixed, **values}

    else:
        pick = itemgetter(*compiled.positiontup, compiled.positiontup[0])

        def bind(values: Mapping[str, object]) -> Any:
            # One more than there are: a single item would come without its tuple.
            return pick({**fixed, **values} if fixed else values)[:-1]

    return _Form(str(compiled), bind, _row_of(statement, has_booleans=dialect.supports_native_boolean))


def _row_of(statement: Any, *, has_booleans: bool) -> Callable[[Sequence[Any]], Any]:
    columns = [] if isinstance(statement, sa.TextClause) else list(statement.exported_columns)
    if not columns:
        return tuple
    kind: Any = namedtuple("Row", [str(column.key) for column in columns])  # type: ignore[misc]  # noqa: PYI024
    make: Callable[[Sequence[Any]], Any] = kind._make
    flags = [] if has_booleans else [i for i, column in enumerate(columns) if isinstance(column.type, sa.Boolean)]
    if not flags:
        return make

    def make_with_flags(found: Sequence[Any]) -> Any:
        row = list(found)
        for i in flags:
            row[i] = None if row[i] is None else row[i] != 0
        return make(row)

    return make_with_flags


def _run(connection: Connection, how: str, sql: str, values: Any) -> Any:
    try:
        cursor = connection.connection.cursor()
        getattr(cursor, how)(sql, values)
    except connection.dialect.loaded_dbapi.Error as error:
        # As of its own statements: named, told to the listeners, and a connection that is lost is not used again.
        connection._handle_dbapi_exception(error, sql, None, None, None)  # noqa: SLF001
    return cursor
