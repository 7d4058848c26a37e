"""docs/performance.md and its picture, made of benchmarks/results.json: `python -m benchmarks.page`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks import tables
from benchmarks.goals import Verdict, verdicts
from benchmarks.peers.words import words
from benchmarks.picture import picture
from benchmarks.results import Run, Summary, is_idle
from benchmarks.tables import short
from benchmarks.tried import TRIED

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/performance.md"
PICTURE = ROOT / "docs/pictures/performance.svg"

_INTRODUCTION = """# How fast it is

What a request costs, next to the least that Flask can do and next to other people's servers, and whether that changes
as the store fills. This page is made by `python -m benchmarks.page` of what `make bench` and `make bench-peers`
measured; nobody writes figures into it. What bad sites, deadlines and mass ends do to others is in
[benchmarks.md](benchmarks.md), what a person costs and how far one goes is in [scaling.md](scaling.md).

**Compare figures of one table with each other, and ratios before milliseconds.** Each round starts every server anew.
Those that are compared run at once and are asked in turn, workload by workload, until everything in them is warm and
then for two seconds; stated is the median of all rounds, in brackets the least and the most, and a ratio is one of the
same round. Processor time comes first: it depends least on what else the machine does. Every answer is checked (the
code, the tokens, `active`, another refresh token): one that isn't success ends the measurement, so that no figure
comes from an error page.
"""
_WORDS = """
- *floor*: bare Flask on the same web server, workers and threads, with the same store, doing the same signature and
  as many round trips, and no check at all (`benchmarks/floor_app.py`). It is no server; it is what Flask and the web
  server take of each figure.
- *ms*: processor time of one operation, all processes of the server and its Redis together, in thousandths of a
  second.
- *an operation* of a row is all of its requests: R are two, W5 are four and in one of them is the hash.
"""
_REPRODUCE = """
```
make bench                     all of Lockstep's own, then this page; about an hour on an idle machine
make bench BENCH='serving --rounds 2 --secs 1 --web-servers gunicorn --stores redis --workloads R,W3u'
make bench BENCH='sign_out'    one measurement: {names}
make bench-peers               installs the others by name, then both in the same rounds, then this page
make bench-quick               three minutes: ratios to the floor, against those that are stated here
make bench BENCH=soak          ten minutes of mixed load on two nodes, one of them killed meanwhile
```

A run that names measurements prints and keeps nothing; with `--save` it becomes part of this page. Raw figures of
each round stand in `benchmarks/results/`, the summary in `benchmarks/results.json`. Nothing but the interpreter,
`redis-server` and, for the others, what `scripts/bench-peers` installs is needed; every server listens on 127.0.0.1.
"""
_LIMITS = """
- Client, server and Redis share the cores. What the client takes of them is a figure, too (`client_ms` in
  `benchmarks/results.json`); at the cheapest requests it is a visible part of the requests a second, and no part of
  the processor time.
- Loopback, HTTP/1.1, kept connections, no TLS, no proxy, one machine: latencies are those of the program, not of a
  network.
- A closed loop: eight people, each asking again as soon as answered. A server that is slower is asked less; p99 under
  a fixed rate would be another figure.
- The kernel counts processor time in hundredths of a second, so that a round of two seconds is good to half a per
  cent for what is busy, and worth less for Redis.
- Redis writes its append-only file each second, as [redis.md](redis.md) asks for; SQLite syncs each commit to this
  machine's disk, and a disk of another kind moves SQLite's operations a second by as much.
- The sites have no refresh tokens but one, whose rotation is W4: others' servers give them to clients that ask, and
  so it is the same work for all.
- Python, Node and C do different things well: a ratio to another's server holds for this kind of machine and these
  versions.
"""


_SOAK = """
Two nodes on PostgreSQL and Redis ([several-nodes.md](several-nodes.md)), sixteen people who sign in, go round the
sites, are looked up, refresh and sign out, at 70 % of what both nodes together can do (the ceiling, measured before).
After four tenths of the time one node is killed (`kill -9` of all its processes); after five tenths it is started
again. A refused connection goes to the other node, and so does a GET that was cut off, as behind the documented
balancer; a POST that was cut off is asked for once more by its person. Nothing is lost if no answer was an error, every
session went on, and every site of everybody who was told "signed out" has heard of it. Memory is that of the node
that stayed, all its processes, and its slope over the second half.
"""


def page(summary: Summary) -> str:
    """All of it."""
    own, peers = summary.runs.get("own", Run()), summary.runs.get("peers", Run())
    parts = [_INTRODUCTION, _measured(summary), "## Goals\n", _goals(verdicts(summary)), _picture(summary)]
    parts += ["## What a request costs\n", _WORDS.strip() + "\n"]
    for store, title in (("redis", "Redis"), ("sqlite", "SQLite")):
        parts += _table(f"### Processor time, sessions in {title}, ES256", tables.costs(own, store))
    parts += _table("### Processor time with RSA signatures (RS256), Redis", tables.costs(own, "redis", "RS256"))
    cases = tables.cases_of(own)
    parts += _table("### Operations a second, 8 connections", tables.rates(own, cases))
    parts += _table("### Answered after (p50 / p99 ms), 8 connections", tables.waits(own, cases))
    parts += _table("### Answered after (p50 / p99 ms), one connection", tables.waits(own, cases, lambda _: "1"))
    cases = tables.cases_of(peers)
    if cases:
        parts += ["## Beside other people's servers\n", words()]
        parts += _table("### Their processor time, server + Redis, in ms", tables.processor_time(peers, cases))
        parts += _table("### Their operations a second, 8 connections", tables.rates(peers, cases))
        parts += _table("### Answered by them after (p50 / p99 ms), 8 connections", tables.waits(peers, cases))
        parts += _table("### Their sign-outs", tables.of_measurement(peers, "W6", "W6h"))
    for title, names in _FURTHER:
        parts += _table(title, tables.of_measurement(own, *names))
    if soak := summary.runs.get("soak"):
        parts += _table(f"## Ten minutes of mixed load\n\n{_SOAK.strip()}", tables.of_measurement(soak, "soak"))
        parts += _table("### How long people waited meanwhile", tables.of_measurement(soak, "wait"))
    from benchmarks.given import MEASUREMENTS

    parts += ["## Again, on your machine", _REPRODUCE.format(names=", ".join(MEASUREMENTS))]
    parts += ["## What limits the reading", _LIMITS]
    return "\n".join(parts).replace("\n\n\n", "\n\n").strip() + "\n"


_FURTHER = (
    ("## Signing out\n\n20 sites are told (W6); three of them hang (W6h).", ("W6", "W6h")),
    ("## Deliveries", ("D",)),
    ("## Check-ins", ("F",)),
    ("## A storm of sign-ins", ("storm",)),
    (
        "## Cold start\n\nFrom `sso serve` on a data directory that has schema and keys to both first answers.",
        ("cold start",),
    ),
    ("## Memory", ("memory",)),
    ("## As the store fills", ("growth",)),
)


def _measured(summary: Summary) -> str:
    names = {"own": "make bench", "peers": "make bench-peers", "soak": "make bench BENCH=soak"}
    lines = []
    for name, run in summary.runs.items():
        said = {key: value for key, value in run.machine.items() if value}
        rest = "; ".join(f"{key}: {value}" for key, value in said.items() if key not in ("measured", "load before"))
        busy = "" if is_idle(said) else " **Other programs were busy on it: take ratios, and these with doubt.**"
        load = f"Load before: {said.get('load before', '?')}.{busy}"
        lines.append(f"- `{names.get(name, name)}`, {said.get('measured', '')}. {rest}. {load}")
    return "\n".join(lines) + "\n"


def _goals(found: list[Verdict]) -> str:
    known = [verdict for verdict in found if verdict.measured]
    met = sum(verdict.is_met for verdict in known)
    waiting = f", {len(found) - len(known)} are not measured" if len(known) < len(found) else ""
    rows = [tuple(_row(verdict)) for verdict in found]
    text = f"{met} of {len(known)} are met{waiting}.\n\n"
    text += tables.table(["goal", "where", "bound", "measured", "verdict"], rows) + "\n"
    missed = dict.fromkeys(verdict.goal.about for verdict in known if not verdict.is_met)
    tried = [f"- *{about}*: {TRIED[about]}" for about in missed if about in TRIED]
    return text + ("\n### What was tried for those that are missed\n\n" + "\n".join(tried) + "\n" if tried else "")


def _row(verdict: Verdict) -> Iterator[str]:
    goal, measured = verdict.goal, verdict.measured
    unit = goal.unit if goal.unit in ("x", "/s") else f" {goal.unit}"
    yield goal.about
    yield f"{goal.where}: {verdict.note}" if verdict.note else goal.where
    yield f"at {'most' if goal.at_most else 'least'} {short(goal.bound)}{unit}"
    if measured is None:
        yield from (tables.NOTHING, "not measured")
        return
    yield f"{short(measured.median)}{unit}{tables.between(measured)}"
    by = f"{verdict.missed_by:.0%}" if verdict.missed_by >= 0.01 else "less than 1%"
    yield "met" if verdict.is_met else f"**missed by {by}**"


def _picture(summary: Summary) -> str:
    del summary
    return "![Processor time of each kind of request](pictures/performance.svg)\n"


def _table(title: str, text: str) -> Iterable[str]:
    return [f"{title}\n", text + "\n"] if text else []


def write(summary: Summary) -> None:
    """The page and the picture."""
    PAGE.write_text(page(summary), encoding="utf-8")
    PICTURE.write_text(picture(summary), encoding="utf-8")


if __name__ == "__main__":
    write(Summary.load())
