"""Figures as Markdown tables: medians, and in brackets the least and the most of all rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from benchmarks.goals import FEW, WEB_SERVERS, at, floor, ours, over_floor
from benchmarks.results import Run, Spread, Values, spread_of
from benchmarks.servers import Case
from benchmarks.workloads import WORKLOADS

NOTHING = "–"
Rows = Iterable[Sequence[str]]


def table(headings: Sequence[str], rows: Rows) -> str:
    """Markdown; '' without rows."""
    lines = [" | ".join(row) for row in rows]
    rule = " | ".join("---" for _ in headings)
    return "\n".join(f"| {line} |" for line in (" | ".join(headings), rule, *lines)) if lines else ""


def short(value: float) -> str:
    """Three digits, and none after the point from 100 on."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.01 or not value else f"{value:.2f}"


def spread(values: Values, unit: str = "") -> str:
    """`1.25 (1.2–1.31)`."""
    if not values:
        return NOTHING
    found = spread_of(values.values())
    return f"{short(found.median)}{unit}{between(found)}"


def between(found: Spread) -> str:
    """` (least–most)`; '' when they are the same."""
    return "" if found.low == found.high else f" ({short(found.low)}–{short(found.high)})"


def name(case: Case) -> str:
    """As a row is headed."""
    algorithm = f", {case.algorithm}" if case.algorithm not in ("", "none") else ""
    return f"{case.product} ({case.web_server}, {case.store}{algorithm})"


def costs(run: Run, store: str, algorithm: str = "ES256") -> str:
    """Processor time of each workload, Lockstep's and the floor's, for both web servers."""

    def row(workload: str) -> Iterator[str]:
        for web_server in WEB_SERVERS:
            case = ours(web_server, store, algorithm)
            mine, least = (run.values(one, workload, "cpu_ms", at(workload)) for one in (case, floor(case)))
            yield from (spread(mine), spread(least), spread(over_floor(run, case, workload)))

    headings = [f"{one} {what}" for one in WEB_SERVERS for what in ("ms", "floor", "ratio")]
    rows = {workload: cells for workload in WORKLOADS if set(cells := [*row(workload)]) != {NOTHING}}
    used = [n for n in range(len(headings)) if any(cells[n] != NOTHING for cells in rows.values())]
    named = ["", *(headings[n] for n in used)]
    return table(named, [[titled(workload), *(cells[n] for n in used)] for workload, cells in rows.items()])


def cells(cases: Sequence[Case], workloads: Sequence[str], cell: Callable[[Case, str], str]) -> str:
    """A row for each case that has any."""
    rows = [[name(case), *(cell(case, workload) for workload in workloads)] for case in cases]
    shown = [row for row in rows if set(row[1:]) != {NOTHING}]
    used = [n for n in range(len(workloads)) if any(row[n + 1] != NOTHING for row in shown)]
    return table(["", *(workloads[n] for n in used)], [[row[0], *(row[n + 1] for n in used)] for row in shown])


def rates(run: Run, cases: Sequence[Case]) -> str:
    """Operations a second."""
    return cells(cases, list(WORKLOADS), lambda case, what: spread(run.values(case, what, "per_second", at(what))))


def processor_time(run: Run, cases: Sequence[Case]) -> str:
    """Ms an operation, the server's and its Redis'."""

    def cell(case: Case, what: str) -> str:
        server, redis = (run.values(case, what, part, at(what)) for part in ("server_ms", "redis_ms"))
        if not server:
            return NOTHING
        kept = f" + {short(middle(redis))}" if "redis" in case.store and redis else ""
        return f"{short(middle(server))}{kept}"

    return cells(cases, list(WORKLOADS), cell)


def waits(run: Run, cases: Sequence[Case], when: Callable[[str], str] = at) -> str:
    """p50 / p99 in ms."""

    def cell(case: Case, what: str) -> str:
        found = [run.values(case, what, part, when(what)) for part in ("p50_ms", "p99_ms")]
        return " / ".join(short(middle(values)) for values in found) if all(found) else NOTHING

    return cells(cases, list(WORKLOADS), cell)


def of_measurement(run: Run, *names: str) -> str:
    """Everything that is known of these measurements (`Figure.what`, or how it begins), a row for each case; beside a
    floor, processor time against it."""
    rows: dict[tuple[Case, str, str], dict[str, Values]] = {}
    for (case, what, when, figure), values in run.figures.items():
        if any(what == one or what.startswith(f"{one} of ") for one in names):
            rows.setdefault((case, what, when), {})[figure] = values
    for (case, what, when), row in rows.items():
        least = run.values(floor(case), what, "cpu_ms", when)
        if case.product == "lockstep" and least:
            row["against the floor"] = run.ratio(row.get("cpu_ms", {}), least)
        few = run.values(case, what, "cpu_ms", f"{FEW} sessions")
        if when.endswith(" sessions") and few:
            row["against the fewest"] = run.ratio(row.get("cpu_ms", {}), few)
    columns = list(dict.fromkeys(figure for row in rows.values() for figure in row))
    return table(
        ["", "what", "when", *(column.replace("_", " ") for column in columns)],
        [
            [name(case), what, when, *(spread(row.get(column, {})) for column in columns)]
            for (case, what, when), row in rows.items()
        ],
    )


def titled(workload: str) -> str:
    """`W1: a code ...`."""
    return f"{workload}: {WORKLOADS[workload].title}"


def cases_of(run: Run) -> list[Case]:
    """Who was asked anything of the table of workloads: Lockstep first, each beside its floor, then the others."""
    known = dict.fromkeys(case for case, what, _, _ in run.figures if what in WORKLOADS)
    mine = [case for case in known if case.product == "lockstep"]
    pairs = [one for case in mine for one in (case, replace(case, product="floor")) if one in known]
    return [*pairs, *(case for case in known if case not in pairs)]


def middle(values: Values) -> float:
    """The median; 0 without any."""
    return spread_of(values.values()).median if values else 0.0
