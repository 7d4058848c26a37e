"""The picture of docs/performance.md: processor time of an operation as bars, in one run, for light and dark paper."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from benchmarks.goals import at
from benchmarks.results import Run, Summary, spread_of
from benchmarks.servers import Case
from benchmarks.tables import short
from benchmarks.workloads import WORKLOADS

SHOWN = ("R", "W3u", "W4")
#: Who is drawn, top to bottom: how it is called, and its colour.
BARS = (
    (Case("lockstep", "granian", "redis"), "Lockstep, granian", "own"),
    (Case("lockstep", "gunicorn", "redis"), "Lockstep, gunicorn", "own"),
    (Case("floor", "granian", "redis"), "bare Flask, granian", "floor"),
    (Case("floor", "gunicorn", "redis"), "bare Flask, gunicorn", "floor"),
    (Case("oidc-provider", "node", "redis"), "oidc-provider, Node", "peer"),
    (Case("authlib", "gunicorn", "redis"), "Authlib on Flask", "peer"),
)
_LEFT, _RIGHT, _LINE, _HEAD, _WIDTH = 190, 90, 24, 40, 860
_SVG = "http://www.w3.org/2000/svg"
_LEGEND = "Processor time in ms, server and Redis; ES256. Each group has a scale of its own. Line: least to most."
_STYLE = """
    :root { --paper: #ffffff; --ink: #1d2630; --soft: #566372; --own: #2f6fb5; --floor: #b9c2cc; --peer: #c98a3d; }
    @media (prefers-color-scheme: dark) {
      :root { --paper: #12171d; --ink: #e6ebf0; --soft: #a5b1be; --own: #6fb1f5; --floor: #4a5663; --peer: #d9a25c; }
    }
    text { font: 14px system-ui, "Segoe UI", "Noto Sans", sans-serif; fill: var(--ink); }
    .head { font-size: 15px; font-weight: 600; }
    .small { font-size: 13px; fill: var(--soft); }
    .own { fill: var(--own); } .floor { fill: var(--floor); } .peer { fill: var(--peer); }
    .range { stroke: var(--ink); stroke-width: 1; opacity: 0.6; }
"""


def picture(summary: Summary) -> str:
    """An SVG. Of the run with the peers if there is one, and of floors that were asked in the same: bars of two runs
    can't be compared."""
    peers, own = summary.runs.get("peers", Run()), summary.runs.get("own", Run())
    run = own
    if any(_known(peers, case, "R") for case, _, _ in BARS):
        at_once = {what for what, machine in peers.machines.items() if own.machines.get(what) == machine}
        floors = own.part(lambda case, what: case.product == "floor" and what in at_once)
        run = Run(peers.machine, floors.figures | peers.figures, peers.machines)
    drawn, height = [], 34
    for workload in SHOWN:
        bars = [(*bar, values) for bar in BARS if (values := _known(run, bar[0], workload))]
        if bars:
            drawn += list(_panel(workload, bars, height))
            height += _HEAD + _LINE * len(bars) + 16
    return "\n".join(
        (
            f'<svg xmlns="{_SVG}" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="t d">',
            '  <title id="t">Processor time of an operation, in ms: server and Redis together</title>',
            f'  <desc id="d">{escape(_described(run))}</desc>',
            f"  <style>{_STYLE}  </style>",
            f'  <rect width="{_WIDTH}" height="{height}" fill="var(--paper)"/>',
            f'  <text class="small" x="16" y="24">{_LEGEND}</text>',
            *drawn,
            "</svg>\n",
        )
    )


def _known(run: Run, case: Case, workload: str) -> list[float]:
    return list(run.values(case, workload, "cpu_ms", at(workload)).values())


def _panel(workload: str, bars: list[tuple[Case, str, str, list[float]]], top: int) -> Iterator[str]:
    yield f'  <text class="head" x="16" y="{top + 28}">{escape(WORKLOADS[workload].title)} ({workload})</text>'
    most = max(max(values) for *_, values in bars)
    for number, (_, words, colour, values) in enumerate(bars):
        found, y = spread_of(values), top + _HEAD + _LINE * number
        middle, low, high = (_width(value, most) for value in (found.median, found.low, found.high))
        yield f'  <text x="{_LEFT - 10}" y="{y + 14}" text-anchor="end">{escape(words)}</text>'
        yield f'  <rect class="{colour}" x="{_LEFT}" y="{y + 1}" width="{middle:.1f}" height="18" rx="2"/>'
        yield f'  <path class="range" d="M{_LEFT + low:.1f} {y + 10}H{_LEFT + high:.1f}"/>'
        yield f'  <text x="{_LEFT + high + 8:.1f}" y="{y + 15}">{short(found.median)}</text>'


def _width(value: float, most: float) -> float:
    return (_WIDTH - _LEFT - _RIGHT) * value / most


def _described(run: Run) -> str:
    said = []
    for workload in SHOWN:
        found = [(words, values) for case, words, _ in BARS if (values := _known(run, case, workload))]
        if found:
            numbers = ", ".join(f"{words} {short(spread_of(values).median)} ms" for words, values in found)
            said.append(f"{WORKLOADS[workload].title}: {numbers}.")
    return " ".join(said) or "Nothing was measured."
