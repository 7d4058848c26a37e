"""One after the other, nobody for ever, and nobody while he waits for something else."""

import threading
import time
from collections.abc import Callable

from sso_server.web.turns import Turns


def begun(work: Callable[[], object]) -> threading.Event:
    """Set once this work is done, in a thread of its own."""
    done = threading.Event()

    def whole() -> None:
        work()
        done.set()

    threading.Thread(target=whole, daemon=True).start()
    return done


def take_and_give_back(turns: Turns) -> None:
    turns.take()
    turns.give_back()


def test_the_next_one_begins_when_the_turn_is_given_back() -> None:
    turns = Turns(wait_s=60)
    turns.take()
    next_one = begun(turns.take)
    assert not next_one.wait(0.1)
    turns.give_back()
    assert next_one.wait(10)


def test_who_waits_for_something_lets_others_go_on_and_has_a_turn_again_afterwards() -> None:
    turns = Turns(wait_s=60)
    turns.take()
    with turns.given_up():
        assert begun(lambda: take_and_give_back(turns)).wait(10)
    next_one = begun(turns.take)
    assert not next_one.wait(0.1)
    turns.give_back()
    assert next_one.wait(10)


def test_who_has_no_turn_gets_none_by_waiting_and_gives_none_back() -> None:
    turns = Turns(wait_s=60)
    with turns.given_up():
        pass
    turns.give_back()
    assert begun(turns.take).wait(10)
    next_one = begun(turns.take)
    assert not next_one.wait(0.1), "there is one turn, not one more for each that was given back"


def test_whoever_waits_too_long_goes_on_without() -> None:
    turns = Turns(wait_s=0.05)
    turns.take()
    late = begun(lambda: take_and_give_back(turns))
    assert late.wait(10)
    started = time.monotonic()
    assert begun(turns.take).wait(10), "what was not had was not given back"
    assert time.monotonic() - started >= 0.04
