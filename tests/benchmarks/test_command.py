"""The command line: what can't be measured is said at once, in one line, and not after minutes."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import given, quick, serving, sign_out, soak
from benchmarks.given import Given
from benchmarks.results import Figure, Run, Summary
from benchmarks.rounds import turned
from benchmarks.servers import Case


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """As they were."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def run(monkeypatch: pytest.MonkeyPatch, *words: str, main: Any = command.main) -> str:
    """How it ends."""
    monkeypatch.setattr(sys, "argv", ["benchmarks", *words])
    with pytest.raises(SystemExit) as raised:
        main()
    return str(raised.value.code)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--workloads R,XX", "known are W1"),
        ("--web-servers apache", "known are gunicorn,granian"),
        ("--stores mysql", "known are redis,sqlite"),
        ("--stores ,", "known are redis,sqlite"),
        ("--peers keycloak", "there is no keycloak"),
        ("--rounds -1", "no number from 1 on"),
        ("--connections 0", "no number from 1 on"),
        ("--secs 0", "no number above 0"),
        ("--secs nan", "no number above 0"),
        ("soak --seconds -5", "no number above 0"),
    ],
)
def test_what_nobody_knows_is_refused(
    words: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *words.split()) == "2"
    assert said in capsys.readouterr().err.replace("W0,", "")


def test_a_measurement_that_stands_alone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "make bench BENCH=soak" in run(monkeypatch, "serving", "soak")


def test_a_measurement_that_asks_nobody_else_says_how_it_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    # As `make bench-peers BENCH=soak` has it.
    assert run(monkeypatch, "soak", "--peers", "all") == (
        "'soak' asks nobody but Lockstep, and has options of its own: make bench BENCH=soak"
    )


def test_help_is_about_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--help") == "0"
    assert "Measure what Lockstep costs next to bare Flask" in capsys.readouterr().out


def test_the_quick_run_shows_each_figure_as_it_comes_and_ends_tidily(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def figures(asked: Given) -> Iterator[Figure]:
        case = Case("lockstep", asked.web_servers[0], asked.stores[0])
        for number in range(asked.rounds):
            for one, value in ((case, 3.0), (replace(case, product="floor"), 2.0)):
                yield Figure(one, "R", "cpu_ms", value, number, "8")
        said.append(capsys.readouterr().out)

    said: list[str] = []
    monkeypatch.setattr(serving, "figures", figures)
    monkeypatch.setattr(Summary, "load_or_leave", Summary)
    before = signal.getsignal(signal.SIGTERM)
    assert "NOT STATED" in run(monkeypatch, main=quick.main)
    assert signal.getsignal(signal.SIGTERM) != before
    # The first case's are there before the second is begun, round by round.
    assert [line for line in said[0].splitlines() if "R" in line] == [
        "1 gunicorn redis R: 1.5",
        "2 gunicorn redis R: 1.5",
        "3 gunicorn redis R: 1.5",
    ]


def test_without_redis_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_redis_server", lambda: None)
    assert "no redis-server in PATH" in run(monkeypatch, "serving")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"own": {}}'])
def test_figures_that_cannot_be_read_are_said_before_anything_is_measured(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results.json").write_text(text)
    load = Summary.load_or_leave
    monkeypatch.setattr(Summary, "load_or_leave", lambda: load(tmp_path / "results.json"))
    for module in (command, quick):
        monkeypatch.setattr(module, "measured", lambda *_: pytest.fail("it measures"))
    monkeypatch.setattr(soak, "measure", lambda *_: pytest.fail("it measures"))
    for words, main in ((["serving", "--save"], command.main), ([], quick.main), (["soak"], command.main)):
        assert "results.json can't be read" in run(monkeypatch, *words, main=main)


def test_a_measurement_that_is_asked_nothing_of_its_own_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(sign_out.figures(Given(workloads=("W1",)))) == []
    assert list(serving.figures(Given(workloads=("W6",)))) == []
    assert set(given.SIGN_OUTS) == set(sign_out.PER_ROUND)
    assert run(monkeypatch, "sign_out", "--workloads", "W1", "--stores", "sqlite").startswith("Nothing was measured")


def test_enough_people_sign_out_in_a_usual_run_for_a_p99_with_and_without_sites_that_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case("lockstep", "gunicorn", "sqlite")

    def one_round(server: object, sites: object, what: str, number: int, waits: list[float]) -> Iterator[Figure]:
        waits += [1.0] * sign_out.PER_ROUND[what]
        yield from ()

    class Nobody:
        workloads = frozenset(sign_out.PER_ROUND)

        def start(self) -> None: ...
        def stop(self) -> None: ...

    Nobody.case = case  # type: ignore[attr-defined]
    monkeypatch.setattr(sign_out, "_servers", lambda *_: [Nobody])
    monkeypatch.setattr(sign_out, "_round", one_round)
    found = list(sign_out.figures(Given()))
    assert {(one.what, one.name) for one in found} == {("W6", "waits_p99_ms"), ("W6h", "waits_p99_ms")}


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("", {"serving": True, "storm": False}),
        ("--rounds 1 --secs 0.1", {"serving": True, "storm": False}),
        ("--peers all", {"serving": True, "storm": False}),
        ("--workloads R", {}),
        ("--stores redis", {}),
        ("--web-servers gunicorn", {}),
        ("--peers glewlwyd", {}),
        ("storm", {}),
        ("--workloads R --save", {"serving": False, "storm": False}),
        ("storm --save", {"storm": False}),
    ],
)
def test_only_a_whole_run_takes_the_place_of_all_that_was_known(
    words: str, kept: dict[str, bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: dict[str, bool] = {}

    def measured(name: str, *_: object) -> Run:
        return Run({}, {(Case("lockstep", "gunicorn", "redis"), name, "", "cpu_ms"): {0: 1.0}})

    def keep(_: Summary, run: Run, *, anew: bool, with_peers: bool) -> None:
        made[next(iter(run.figures))[1]] = anew

    for name, stand_in in {
        "measured": measured,
        "keep": keep,
        "write": lambda _: None,
        "find_redis_server": lambda: "redis-server",
        "MEASUREMENTS": ("serving", "storm"),
        "RAW": tmp_path,
    }.items():
        monkeypatch.setattr(command, name, stand_in)
    monkeypatch.setattr(Summary, "load_or_leave", Summary)
    monkeypatch.setattr(Summary, "save", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["benchmarks", *words.split()])
    command.main()
    assert made == kept


def test_the_order_is_turned_round_in_odd_rounds() -> None:
    assert [turned("ab", number) for number in range(3)] == ["ab", "ba", "ab"]


def test_who_is_told_to_end_leaves_no_directory(tmp_path: Path) -> None:
    program = (
        "import time, tempfile\nfrom benchmarks.processes import end_tidily\nend_tidily()\n"
        "with tempfile.TemporaryDirectory(prefix='bench-'):\n print('there', flush=True)\n time.sleep(60)"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=env, cwd=root) as process:
        late = threading.Timer(50, process.kill)
        late.start()
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        assert list(tmp_path.iterdir())
        process.terminate()
        assert process.wait(30) == 143
        late.cancel()
    assert list(tmp_path.iterdir()) == []
