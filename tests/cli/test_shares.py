"""The connections of each web process, in memory that all of them see."""

import os
import signal

import pytest

from sso_server.cli.shares import Shares


def forked(shares: Shares, row: int, connections: int, *, leaves: bool = False) -> int:
    """The id of another process that has so many connections, and is there until it is killed."""
    ready, tells = os.pipe()
    if not (pid := os.fork()):
        shares.join(row)
        shares.note(row, connections)
        if leaves:
            shares.leave(row)
        os.write(tells, b"1")
        signal.pause()
        os._exit(0)
    os.read(ready, 1)
    os.close(ready)
    os.close(tells)
    return pid


def two_rows(shares: Shares) -> tuple[int, int]:
    """Ours, which takes callers, and another's."""
    own, row = shares.claim(), shares.claim()
    assert own is not None
    assert row is not None
    shares.join(own)
    return own, row


def gone(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_the_fewest_are_those_of_another_process_that_lives_and_takes_callers() -> None:
    shares = Shares()
    own, row = two_rows(shares)
    shares.note(own, 1)
    assert shares.fewest(own) is None, "the other has not begun"
    other = forked(shares, row, 2)
    try:
        assert shares.fewest(own) == 2
        shares.note(row, 5)
        assert shares.fewest(own) == 5
        shares.leave(row)
        assert shares.fewest(own) is None, "it takes nobody any more"
    finally:
        gone(other)


def test_who_was_killed_is_waited_for_by_nobody_and_its_row_is_the_next_ones() -> None:
    shares = Shares()
    own, row = two_rows(shares)
    shares.note(own, 3)
    gone(forked(shares, row, 1))
    assert shares.fewest(own) is None
    assert shares.claim() == row
    assert shares.claim() != row


def test_a_process_that_has_left_keeps_its_row_until_it_has_ended() -> None:
    shares = Shares()
    row = shares.claim()
    assert row is not None
    pid = forked(shares, row, 1, leaves=True)
    assert shares.claim() != row
    gone(pid)
    assert shares.claim() == row


def test_more_processes_than_there_are_rows_count_for_nobody() -> None:
    shares = Shares()
    rows = [shares.claim() for _ in range(200)]
    assert len({row for row in rows if row is not None}) == 128
    assert rows[-1] is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_process_of_another_user_lives() -> None:
    shares = Shares()
    own, row = two_rows(shares)
    shares.note(own, 3)
    if not (pid := os.fork()):
        seen = -1
        try:
            os.setuid(65534)
            seen = shares.fewest(row) or 0
        finally:
            os._exit(seen)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
