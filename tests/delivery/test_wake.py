import contextlib
import os
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sso_server.delivery.wake import DatagramWake, WakeListener, socket_name, take_dead


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < 1200:
        pytest.skip("the hard limit of open files is too low here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))


def test_a_ring_without_listeners_is_nothing(short: Path) -> None:
    DatagramWake(short / "nowhere").ring()
    (short / "file").write_text("not a directory")
    DatagramWake(short / "file").ring()


def test_a_ring_reaches_every_listener_and_many_rings_are_one(short: Path) -> None:
    listeners = [WakeListener(short, name) for name in ("one", "two")]
    for _ in range(5):
        DatagramWake(short).ring()
    assert [listener.wait(5) for listener in listeners] == [True, True]
    assert [listener.wait(0) for listener in listeners] == [False, False]
    for listener in listeners:
        listener.close()
    assert list(short.iterdir()) == []


def test_a_listener_that_never_looks_does_not_block_the_bell(short: Path) -> None:
    listener = WakeListener(short, "deaf")
    for _ in range(5000):
        DatagramWake(short).ring()
    assert listener.wait(0)
    listener.close()


def test_a_listener_whose_descriptor_is_beyond_those_of_select_hears(short: Path, many_descriptors: None) -> None:
    with contextlib.ExitStack() as opened:
        while opened.enter_context(Path(os.devnull).open()).fileno() < 1024:
            pass
        listener = WakeListener(short, "high")
        DatagramWake(short).ring()
        assert listener.wait(5)
        assert not listener.wait(0.01)
        listener.close()


@pytest.mark.parametrize("name", ["host-1234", "a" * 200, "käse/../x", ".hidden"])
def test_any_name_and_any_length_of_path_will_do(short: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    deep = short / ("d" * 120)
    listener = WakeListener(deep, name)
    DatagramWake(deep).ring()
    assert listener.wait(5)
    listener.close()
    assert list(short.iterdir()) == []


def test_a_directory_that_somebody_else_put_there_is_not_used(short: Path) -> None:
    target = short / "target"
    target.mkdir()
    (short / "wake").symlink_to(target)
    with pytest.raises(OSError, match="belongs to somebody else"):
        WakeListener(short / "wake", "one")


def test_killed_listeners_are_found_once_and_running_ones_are_not(short: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from sso_server.delivery.wake import WakeListener\n"
        "listener = WakeListener(Path(sys.argv[1]), 'killed'); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(short)], stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"up\n"
        alive = WakeListener(short, "alive")
        try:
            assert take_dead(short) == set()
        finally:
            victim.kill()
    DatagramWake(short).ring()
    assert take_dead(short) == {socket_name("killed")}
    assert take_dead(short) == set()
    assert alive.wait(5)
    alive.close()


def test_a_name_that_was_left_behind_can_be_used_again(short: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(short / socket_name("one")))
    listener = WakeListener(short, "one")
    DatagramWake(short).ring()
    assert listener.wait(5)
    listener.close()
    assert list(short.iterdir()) == []
