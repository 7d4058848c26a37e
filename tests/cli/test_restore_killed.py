"""`sso restore`, killed at every step: the old database or the backup is there, and nobody who came back is served."""

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from sso_server.cli import restore as command
from sso_server.stores.sql import replacing
from tests.cli.restore_story import Story, copy_of, make_story, nobody_came_back
from tests.support.forks import Forked


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Told once; each test has a copy."""
    return make_story(tmp_path_factory.mktemp("story"))


@pytest.fixture
def story(told: Story, tmp_path: Path) -> Story:
    return copy_of(told, tmp_path)


TRACED = {"replace_database", "_set_aside", "_until_done"}


def killed_at(story: Story, number: int) -> bool:
    """Restore in a process of its own, killed before line `number` of what matters; whether it came that far."""
    count = itertools.count()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_name not in TRACED or frame.f_code.co_filename not in (
            replacing.__file__,
            command.__file__,
        ):
            return None
        if event == "line" and next(count) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    def work() -> None:
        sys.settrace(trace)
        story.sso.run("restore", str(story.file), "--yes")

    child = Forked(work)
    os.close(child._answers)
    return os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1]) == -signal.SIGKILL


def test_kill_nine_at_any_step_leaves_the_one_or_the_other_and_nobody_who_came_back_is_served(
    story: Story, told: Story
) -> None:
    seen = set()
    for number in itertools.count():
        shutil.rmtree(story.database.parent)
        shutil.copytree(told.database.parent, story.database.parent)
        if not killed_at(story, number):
            break
        # As `sso serve` finds it.
        with story.built() as built:
            is_old = built.services.users.find_by_username("dora") is not None
            live = built.services.lists.count_live(built.services.clock.now())
            is_waiting = built.services.restorations.is_unfinished()
            assert live == 0 or is_waiting, f"killed before line {number}, it serves who had ended"
            seen.add((is_old, is_waiting))
            while built.restorer().run_once():
                pass
            assert built.services.lists.count_live(built.services.clock.now()) == 0
    assert number > 20
    # The old one; the backup before, and after, everybody was signed out.
    assert seen >= {(True, False), (False, True), (False, False)}
    assert not any(is_old and is_waiting for is_old, is_waiting in seen)
    story.restore()
    nobody_came_back(story)
