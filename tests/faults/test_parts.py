"""The suite's own tools do what its table relies on: points kill, wires are cut, what died is started again."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults import __main__ as command
from tests.faults import plan, seen
from tests.faults.conductor import Outcome
from tests.faults.forwarder import Forwarder, Wires
from tests.faults.keeper import Keeper
from tests.faults.points import Points
from tests.faults.reckoning import Reckoning
from tests.faults.sites import SITES, SiteKind
from tests.faults.world import Host
from tests.support.centre import wait_until

ROOT = Path(__file__).parents[2]


def test_of_several_that_pass_an_armed_point_exactly_one_dies(tmp_path: Path) -> None:
    points = Points(tmp_path / "points")
    points.prepare()
    points.arm("here")
    program = (
        "from pathlib import Path; from tests.faults.points import Points; "
        f"points = Points(Path({str(tmp_path)!r}) / 'points'); points.passed('elsewhere'); points.passed('here')"
    )
    passing = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) for _ in range(3)]
    assert sorted(p.wait(60) for p in passing) == [-signal.SIGKILL, 0, 0]
    assert points.disarm_all() == []


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                while data := connection.recv(100):
                    connection.sendall(data)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire(echo: int) -> Iterator[Forwarder]:
    wires = Wires()
    yield Forwarder(wires, echo)
    wires.close()


def says(port: int, kept: socket.socket | None = None) -> str:
    """What becomes of a word: it comes back, the line is broken, or there is silence."""
    try:
        with contextlib.ExitStack() as stack:
            line = kept or stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            line.settimeout(0.5)
            line.sendall(b"word")
            return line.recv(100).decode() or "broken"
    except TimeoutError:
        return "silence"
    except OSError:
        return "broken"


def test_a_wire_is_cut_silently_or_loudly_and_mended(wire: Forwarder) -> None:
    with socket.create_connection(("127.0.0.1", wire.port), timeout=5) as kept:
        assert says(wire.port, kept) == "word"
        wire.cut("hole")
        assert says(wire.port, kept) == "silence"
        assert says(wire.port) == "silence"
        assert wire.swallowed == 2
        wire.cut("refuse")
        assert says(wire.port, kept) == "broken"
        assert says(wire.port) == "broken"
    assert wire.swallowed == 3
    wire.mend()
    assert says(wire.port) == "word"
    assert wire.swallowed == 3


def test_what_dies_is_started_again_until_it_is_not_wanted_and_nothing_outlives_the_keeper(tmp_path: Path) -> None:
    keeper = Keeper()
    try:
        pids = tmp_path / "pids"
        program = f"import os, time; open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(600)"
        keeper.start("one", [sys.executable, "-c", program], dict(os.environ), tmp_path / "log")

        def started(count: int) -> bool:
            return pids.exists() and len(pids.read_text().split()) >= count

        wait_until(lambda: started(1), why="the process to start")
        keeper.kill("one")
        wait_until(lambda: started(2), why="the process to start again")
        keeper.kill("one", for_good=True)
        time.sleep(0.3)  # nothing is to happen: six times the keeper's own step
        assert not started(3)
        keeper.again("one")
        wait_until(lambda: started(3), why="the process to start once more")
    finally:
        keeper.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.read_text().split())


def test_a_seed_draws_the_same_run_with_every_reason_in_it() -> None:
    drawn = plan.draw(7, 1000)
    assert drawn == plan.draw(7, 1000)
    assert drawn != plan.draw(8, 1000)
    ending = [p for p in drawn if p.ends]
    assert len(ending) == 1000
    assert sum(p.over_http for p in ending) == 50
    reasons = {"administrator", "idle", "absolute", "sign_out_everywhere", "password_change", "account_disabled"}
    reasons |= {"replaced", "site_sign_out", "token_reuse"}
    assert {p.reason for p in ending if not p.over_http} == reasons
    assert {p.reason for p in plan.draw(7, 14)} >= reasons


def test_there_are_twenty_sites_and_every_point_has_its_place() -> None:
    assert len(SITES) == len({site.client_id for site in SITES}) == 20
    found = plan.points(SITES)
    assert len(found) == len(set(found)) == 27


def a_host(name: str, fault: str, wire: Any = None, **more: Any) -> Host:
    return Host(SiteKind(name, fault, fault=fault, **more), name, None, way_in=wire)


def test_a_fault_that_no_call_met_did_not_happen(tmp_path: Path) -> None:
    log = tmp_path / "log"
    hosts = [a_host("busy", "429"), a_host("slow", "hang"), a_host("cut", "wire:in", SimpleNamespace(swallowed=0))]
    hosts.append(a_host("away", "", down=True))
    world: Any = SimpleNamespace(hosts={host.name: host for host in hosts})
    calls = seen.Calls(log)

    def missing() -> list[str]:
        return [sentence.partition(":")[0] for sentence in seen.never_happened(world, calls, faults=True, hour=True)]

    def called(client_id: str, error: str) -> str:
        return json.dumps({"event": "notification_sent", "client_id": client_id, "error": error}) + "\n"

    assert missing() == ["busy", "slow", "cut", "away"]
    with log.open("a") as file:
        # Another site's answer, another answer of this site, and half a line that a killed process left.
        file.write(called("other", "http_429/x") + called("slow", "reset") + '{"event": "noti' + called("busy", ""))
        file.write(called("busy", "http_429/x")[:20])
        file.flush()
        assert missing() == ["busy", "slow", "cut", "away"]
        file.write(called("busy", "http_429/x")[20:] + called("slow", "timeout") + called("away", "connect/refused"))
        file.flush()
        assert missing() == ["cut"]
    world.hosts["cut"].way_in.swallowed = 1
    assert missing() == []
    assert [seen.spoiled(host, calls) for host in hosts[:3]] == [1, 1, 1]


def test_what_was_planned_and_never_done_is_named() -> None:
    assert seen.never_died(["a", "b", "a", "c"], ["a"]) == [
        "kill -9 at b: nobody came by",
        "kill -9 at c: nobody came by",
    ]
    world: Any = SimpleNamespace(hosts={"shop": a_host("shop", "", sdk=True)})
    looked_at = Reckoning(watched=1, visits_over_http={"with the": (10, 20), "without the": (0, 0)})
    assert seen.never_watched(world, looked_at) == []
    nothing = Reckoning(watched=0, visits_over_http={"with the": (9, 20), "without the": (0, 3)})
    assert len(seen.never_watched(world, nothing)) == 3


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ({}, 0),
        ({"early": ["a session, which nobody ended, was ended"]}, 1),
        ({"not seen": ["p-500: no call met it"]}, 1),
    ],
)
def test_the_command_fails_when_a_number_is_not_what_it_must_be(
    faults: dict[str, list[str]], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counted = Reckoning(sign_outs=20)
    counted.faults.update(faults)
    monkeypatch.setattr(command, "run", lambda *_, **__: Outcome(counted, 1.0, [], [], Counter(), 4))
    monkeypatch.setattr(sys, "argv", ["faults", "--sqlite", "--seed", "11"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert command.main() == code
    printed = capsys.readouterr().out
    assert "seed 11" in printed
    assert ("FAILED" in printed) == bool(code)
