"""What was measured, as plain figures: written down line by line, summed up in benchmarks/results.json.

A raw file (benchmarks/results/, not kept) has a line for each figure as it comes; the summary has all rounds of a case
in one line, and docs/performance.md is made of it. Neither names a host or a path.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import ssl
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from benchmarks.servers import Case

HERE = Path(__file__).resolve().parent
SUMMARY = HERE / "results.json"
RAW = HERE / "results"
Values = dict[int, float]
"""Round -> value."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of one round."""

    case: Case
    what: str
    """The workload or measurement: `R`, `W6`, `D`, `cold start`, `growth of W1` ..."""
    name: str
    """What the number is, with its unit: `cpu_ms`, `per_second`, `waits_ms`, `rss_mb` ..."""
    value: float
    round: int = 0
    at: str = ""
    """Under which circumstances: `8` (connections at once), `3 hang`, `1000000 sessions` ..."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Of all rounds."""

    median: float
    low: float
    high: float


def spread_of(values: Iterable[float]) -> Spread:
    """Raises ValueError without any."""
    known = sorted(values)
    if not known:
        raise ValueError("nothing was measured")
    return Spread(statistics.median(known), known[0], known[-1])


@dataclass(slots=True)
class Run:
    """Figures, and on which machine each measurement was made: not all of them in one day."""

    machine: dict[str, str] = field(default_factory=dict)
    """Of all that is added here (`machine()`)."""
    figures: dict[tuple[Case, str, str, str], Values] = field(default_factory=dict)
    """(case, what, at, name) -> its rounds."""
    machines: dict[str, dict[str, str]] = field(default_factory=dict)
    """what -> the machine, the programs, how many rounds, when."""

    def add(self, figure: Figure) -> None:
        """One more, as it will be kept; the same again replaces it."""
        key = (figure.case, figure.what, figure.at, figure.name)
        self.machines.setdefault(figure.what, self.machine)
        # Now and not when it is saved: the page is the same before and after.
        self.figures.setdefault(key, {})[figure.round] = _short(figure.value)

    def replace(self, other: Run) -> None:
        """What the other measured of a case counts instead of what was known of it. Cases that it left out stay, and
        its machine's line says of when they are."""
        anew = {key[:2] for key in other.figures}
        for key in [key for key in self.figures if key[:2] in anew]:
            del self.figures[key]
        for what, machine in other.machines.items():
            before, stay = self.machines.get(what, machine), self.measured(what)
            said, left_out = ("measured", "rounds", "load before"), "cases left out of it"
            # What was left out twice is as old as it was the first time, at least.
            older = before.get(left_out) or ", ".join(f"{name} {before[name]}" for name in said if name in before)
            self.machines[what] = {**machine, left_out: older} if stay and before != machine else machine
        self.figures |= other.figures

    def measured(self, what: str) -> set[Case]:
        """All for which there is anything of it, under whatever circumstances."""
        return {case for case, known, _, _ in self.figures if known == what}

    def part(self, is_wanted: Callable[[Case, str], bool]) -> Run:
        """What was measured of these cases (and `what`)."""
        figures = {key: values for key, values in self.figures.items() if is_wanted(key[0], key[1])}
        known = {what for _, what, _, _ in figures}
        return Run(self.machine, figures, {what: one for what, one in self.machines.items() if what in known})

    def conditions(self) -> list[tuple[list[str], dict[str, str]]]:
        """What was measured on the same machine on the same day, together."""
        found: list[tuple[list[str], dict[str, str]]] = []
        for what, machine in self.machines.items():
            same = next((names for names, one in found if one == machine), None)
            if same is None:
                found.append(([what], machine))
            else:
                same.append(what)
        return found

    def values(self, case: Case, what: str, name: str, at: str = "") -> Values:
        """Its rounds; none when it wasn't measured."""
        return self.figures.get((case, what, at, name), {})

    def cases(self, what: str, at: str = "") -> list[Case]:
        """All for which there is anything of it, in the order in which they were measured."""
        return list(dict.fromkeys(case for case, known, when, _ in self.figures if known == what and when == at))

    def ratio(self, of: Values, to: Values) -> Values:
        """Round by round, where both were measured."""
        return {number: value / to[number] for number, value in of.items() if to.get(number)}


@dataclass(slots=True)
class Summary:
    """`own`: Lockstep and its floor; `peers`: others' servers, and Lockstep in the same rounds; `soak`: mixed load."""

    runs: dict[str, Run] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path = SUMMARY) -> Self:
        """As it was saved; empty when there is none."""
        if not path.exists():
            return cls()
        runs = {}
        for name, said in json.loads(path.read_text("utf-8")).items():
            run = runs[name] = Run()
            for conditions in said["measured"]:
                run.machines |= dict.fromkeys(conditions["what"], conditions["machine"])
            for line in said["figures"]:
                case = Case(*line["case"])
                for figure, values in line["values"].items():
                    rounds = {number: value for number, value in enumerate(values) if value is not None}
                    run.figures[case, line["what"], line["at"], figure] = rounds
        return cls(runs)

    @classmethod
    def load_or_leave(cls, path: Path = SUMMARY) -> Self:
        """The same, for who is about to measure for minutes: SystemExit with one line if it can't be read."""
        try:
            return cls.load(path)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            name = f"benchmarks/{path.name}"
            sys.exit(f"{name} can't be read ({error!r}): git checkout {name}")

    def save(self, path: Path = SUMMARY) -> None:
        """A line for each case and workload, so that a change can be read."""
        runs = []
        for name, run in self.runs.items():
            lines: dict[tuple[Case, str, str], dict[str, list[float | None]]] = {}
            for (case, what, at, figure), values in run.figures.items():
                rounds = [values.get(number) for number in range(max(values) + 1)]
                lines.setdefault((case, what, at), {})[figure] = rounds
            text = ",\n".join(
                json.dumps({"case": list(asdict(case).values()), "what": what, "at": at, "values": values})
                for (case, what, at), values in lines.items()
            )
            measured = ",\n".join(
                json.dumps({"what": names, "machine": machine}) for names, machine in run.conditions()
            )
            runs.append(f'"{name}": {{"measured": [\n{measured}\n], "figures": [\n{text}\n]}}')
        path.write_text("{\n" + ",\n".join(runs) + "\n}\n", "utf-8")


def _short(value: float) -> float:
    """Four digits are more than any of them is worth."""
    return float(f"{value:.4g}")


class RawFile:
    """Lines of figures as they come: a run that is cut off has left what it had."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        """It stays open in this block."""
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, figure: Figure) -> None:
        """One line."""
        self._file.write(json.dumps(asdict(figure)) + "\n")
        self._file.flush()


def machine(**more: str) -> dict[str, str]:
    """The machine and the programs in words, and how busy it was before: whoever reads the figures needs that first."""
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    load = os.getloadavg()
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "machine": f"{os.cpu_count()} cores ({model}), {pages:.0f} GB, {platform.system()} {_kernel()}",
        "load before": " ".join(f"{one:.1f}" for one in load),
        "programs": ", ".join(
            (
                f"Python {platform.python_version()}",
                f"Redis {_redis_version()}",
                f"SQLite {sqlite3.sqlite_version}",
                ssl.OPENSSL_VERSION.rsplit(maxsplit=3)[0],
                *_versions("flask", "gunicorn", "granian", "redis", "hiredis", "pyjwt", "cryptography", "pynacl"),
            )
        ),
        **more,
    }


def is_idle(run: Mapping[str, str]) -> bool:
    """Whether the machine had nothing else to do when this run began."""
    return float(run.get("load before", "99").split()[0]) < 0.7


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def _kernel() -> str:
    """Its number, without what a distribution or a host adds."""
    return platform.release().partition("-")[0]


def commit(root: Path = HERE.parent) -> str:
    """Of what is measured, and a `+` if the files differ from it; '' where there is no repository. What runs write
    themselves is no difference: a second one measures the same program."""
    said = []
    mine = [f":!{name}" for name in ("benchmarks/results.json", "docs/performance.md", "docs/pictures/performance.svg")]
    for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--", ".", *mine)):
        try:
            done = subprocess.run(["git", *words], capture_output=True, text=True, check=True, timeout=10, cwd=root)
        except (OSError, subprocess.SubprocessError):
            return ""
        said.append(done.stdout.strip())
    return f"{said[0]}{'+' if said[1] else ''}"


def _redis_version() -> str:
    said = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=False, timeout=10).stdout
    return said.partition("v=")[2].split(" ")[0] or "none"


def _versions(*names: str) -> Iterable[str]:
    for name in names:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue


def read_raw(path: Path) -> Iterable[Figure]:
    """What a run wrote down."""
    for line in path.read_text("utf-8").splitlines():
        said: dict[str, Any] = json.loads(line)
        yield Figure(**{**said, "case": Case(**said["case"])})
