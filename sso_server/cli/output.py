"""How commands talk: tables, fields, JSON, times in words, and one clear line when something fails."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from sso_server.config import ConfigError
from sso_server.core.errors import LockstepError, Unavailable

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON; every time is in milliseconds UTC.")


@contextlib.contextmanager
def much_imported() -> Iterator[None]:
    """While it is: next to nothing of it is garbage, and looking for some takes 15 % of the time.

    Where `rich` happens to be installed, structlog loads it, and no process of ours has a use for that: 4 MB each.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    hidden = "rich" not in sys.modules
    if hidden:
        sys.modules["rich"] = None  # type: ignore[assignment]  # how the language says: not to be found
    try:
        yield
    finally:
        if hidden:
            del sys.modules["rich"]
        if was_enabled:
            # Else the first allocation from here on would look through all of it after all: 40 ms each time.
            gc.freeze()
            gc.enable()


class Failed(click.ClickException):
    """The command was understood and could not be done: its one line goes to stderr, exit code 1."""

    exit_code = 1


class Commands(click.Group):
    """The command group that turns the product's errors into one line and exit code 1.

    `elsewhere`: a command's word -> `module:name`, imported once somebody asks for it.
    """

    def __init__(self, *args: Any, elsewhere: Mapping[str, str], **more: Any) -> None:
        super().__init__(*args, **more)
        self._elsewhere = elsewhere

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's word, in order."""
        return sorted(self._elsewhere)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; None for a word that isn't one."""
        if cmd_name not in self._elsewhere:
            return None
        module, _, name = self._elsewhere[cmd_name].partition(":")
        with much_imported():
            command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises Failed."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise Failed("\n".join(["The settings are wrong:", *(f"  {line}" for line in error.problems)])) from error
        except Unavailable as error:
            # Whoever runs the command reads the logs too: the detail is for them.
            # What a driver says may have several lines.
            detail = " ".join(error.detail.split())
            raise Failed(f"{error.description} ({detail})" if detail else error.description) from error
        except LockstepError as error:
            raise Failed(error.description or error.code) from error


def print_json(value: Any) -> None:
    """Indented, with names as people write them."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], nothing: str) -> None:
    """Columns as wide as their widest cell; `nothing` is the sentence for an empty table."""
    lines = [list(map(_plain, row)) for row in rows]
    if not lines:
        click.echo(nothing)
        return
    table = [list(headings), *lines]
    widths = [max(_width(row[column]) for row in table) for column in range(len(headings))]
    for row in table:
        cells = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())


def print_fields(pairs: Iterable[tuple[str, str]]) -> None:
    """One `name  value` a line; empty values are left out."""
    shown = [(name, _plain(value)) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        click.echo(f"{name:<{width}}  {value}")


def when(moment: int | None) -> str:
    """A moment (ms) in this machine's time zone; a dash for none."""
    if moment is None:
        return "-"
    return datetime.fromtimestamp(moment / 1000, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def length(ms: int) -> str:
    """A duration in words: `31 ms`, `4.2 s`, `5 min`, `3 h`, `2 days`."""
    if ms < 1000:
        return f"{ms} ms"
    for unit, name in ((86_400_000, "days"), (3_600_000, "h"), (60_000, "min")):
        if ms >= 2 * unit:
            return f"{round(ms / unit)} {name}"
    return f"{ms / 1000:.1f}".removesuffix(".0") + " s"


def _plain(text: str) -> str:
    """A name that somebody typed must not move the cursor or colour the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _width(text: str) -> int:
    """How many columns a terminal needs: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
