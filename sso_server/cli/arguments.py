"""What commands read beside plain words: durations such as `24h`, and passwords that never stand on a command line."""

from __future__ import annotations

import re
import sys

import click

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input; one newline at its end is dropped."
)


def duration(text: str) -> int:
    """Whole seconds from `90`, `90s`, `30m`, `24h` or `7d`. Usage error for anything else."""
    match = re.fullmatch(r"(\d{1,9})([smhd]?)", text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is not a duration such as 90, 90s, 30m, 24h or 7d.")
    return int(match[1]) * _UNITS[match[2] or "s"]


def address(text: str) -> str:
    """`HOST:PORT` as it is; an IPv6 host stands in brackets. Usage error for anything else."""
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]\s]+):(\d{1,5})", text)
    if match is None or not 0 < int(match[2]) < 65_536:
        raise click.BadParameter(f"{text!r} is not HOST:PORT.")
    return text


def read_password(from_stdin: bool) -> str:
    """The password from standard input, or asked for twice on a terminal. Usage error where neither is possible."""
    if from_stdin:
        raw = sys.stdin.buffer.read(64 * 1024)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise click.UsageError("The password on standard input is not UTF-8 text.") from None
        # One newline only: everything else belongs to the password.
        return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask for the password: hand it in with --password-stdin.")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt="The same again", err=True)
    return password


def confirm(question: str, yes: bool) -> None:
    """Ask before something that hits many people, unless --yes was given. Aborts (exit code 1) on no, usage error where
    nobody can be asked."""
    if yes:
        return
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        # Ctrl-C, or the end of an input that is no terminal: cron's, a pipe's, /dev/null.
        if sys.stdin.isatty():
            raise
        click.echo(err=True)
        raise click.UsageError("Nobody is there to answer: to do it without asking, use --yes.") from None
    if not agreed:
        raise click.Abort
