"""Every command of `sso` has its section in docs/cli.md, with every option; and no section is left over."""

import re
from collections.abc import Iterator

import click
import pytest

from sso_server.cli import main
from tests.house.sources import ROOT

PAGE = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
SECTIONS = {
    part.split("`", 1)[0]: re.split(r"^## ", part, maxsplit=1, flags=re.MULTILINE)[0]
    for part in PAGE.split("\n### `")[1:]
}


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


COMMANDS = dict(commands(main, "sso"))


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert sorted(SECTIONS) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_stands_in_the_section(name: str) -> None:
    options = [param for param in COMMANDS[name].params if isinstance(param, click.Option)]
    written = {flag for option in options for flag in (*option.opts, *option.secondary_opts)}
    shown = set(re.findall(r"--[a-z][a-z-]*", SECTIONS[name]))
    assert written - shown == set()
    assert shown - written == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_explains_itself(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert [param.name for param in command.params if isinstance(param, click.Option) and not param.help] == []


LONG_RUNNING = ("sso demo", "sso serve", "sso deliver")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in LONG_RUNNING])
def test_every_command_that_answers_can_answer_in_json(name: str) -> None:
    assert any("--json" in param.opts for param in COMMANDS[name].params)
