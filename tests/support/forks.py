"""Work in forked processes, as workers of a preloading server do it: started together, answered as JSON, or killed."""

import json
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any


class Forked:
    """One child that runs `work` when the gate opens, and says what came of it."""

    def __init__(self, work: Callable[[], Any], gate: int | None = None, close: tuple[int, ...] = ()) -> None:
        self._answers, says = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of threads that a child won't have. Ours asks for none of theirs.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                for each in close:
                    os.close(each)
                if gate is not None:
                    os.read(gate, 1)
                with os.fdopen(says, "w") as out:
                    json.dump(work(), out)
                status = 0
            except BaseException:  # noqa: BLE001  # whatever it is, the parent must see it
                traceback.print_exc(file=sys.__stderr__)
            finally:
                os._exit(status)
        os.close(says)

    def answer(self) -> Any:
        """What the work returned; fails if the child did."""
        with os.fdopen(self._answers) as said:
            text = said.read()
        assert os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]) == 0
        return json.loads(text)

    def kill(self) -> None:
        """kill -9, and wait until it is dead."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._answers)


def in_processes(*works: Callable[[], Any]) -> list[Any]:
    """Run works in forked processes that start together; their answers in order. If one fails the rest is killed."""
    gate, opener = os.pipe()
    children = [Forked(work, gate, (opener,)) for work in works]
    os.close(gate)
    os.close(opener)
    answered = 0
    try:
        answers = []
        for child in children:
            answered += 1
            answers.append(child.answer())
        return answers
    finally:
        for child in children[answered:]:  # one has failed: the others may wait for it
            child.kill()
