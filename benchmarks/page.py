"""docs/performance.md and its picture, made of benchmarks/results.json: `python -m benchmarks.page`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks import tables
from benchmarks.conditions import measured
from benchmarks.estimate import minutes
from benchmarks.given import MEASUREMENTS, Given
from benchmarks.goals import ROUNDS, Verdict, verdicts
from benchmarks.in_short import in_short
from benchmarks.peers.words import words
from benchmarks.picture import picture
from benchmarks.results import Run, Summary
from benchmarks.samples import how_many, tails
from benchmarks.sign_out import PATIENCE_S
from benchmarks.standing import beside, fairer
from benchmarks.tables import short
from benchmarks.tried import TRIED
from benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/performance.md"
NOTHING_TRIED = "nothing is written down yet."
PICTURE = ROOT / "docs/pictures/performance.svg"

_TITLE = "# How fast it is\n"
_INTRODUCTION = """
What a request costs, next to the least that Flask can do and next to other people's servers, and whether that changes
as the store fills. This page is made by `python -m benchmarks.page` of what `make bench` and `make bench-peers`
measured; nobody writes figures into its tables. What bad sites, deadlines and mass ends do to others is in
[benchmarks.md](benchmarks.md), what a person costs and how far one goes is in [scaling.md](scaling.md).

**Compare figures of one table with each other, and ratios before milliseconds.** Servers that are compared run at once
and are asked in turn, workload by workload, first until everything in them is warm and then for as long as is said
below (the parts W0, C1 and C2 for half of that); sign-outs and deliveries one server at a time. Each round starts them
anew and turns the order round; only memory, cold starts, the storm and growth keep theirs through all rounds. Stated is
the median of all rounds, in brackets the least and the most, and a ratio is one of the same round. Processor time comes
first: it depends least on what else the machine does. Every answer is checked (the code, the tokens, `active`, another
refresh token), so that no figure comes from an error page: one that isn't success ends the measurement at Lockstep and
its floor; another server is asked nothing more in that round.
"""
#: What isn't in the table of workloads.
_MORE = {
    "W6": "signing out, when 20 sites are to be told; W6h: when three of them hang",
    "F": "a check-in of a site's store, with nothing to hear and with 100 ends",
    "D": "telling sites when many people have signed out at once",
    "G": "growth: the same with 1,000, 100,000 and 1,000,000 sessions in the store",
}
_WORDS = """
- *floor*: bare Flask on the same web server, workers and threads, with the same store, doing the same signature and
  as many round trips, and no check at all (`benchmarks/floor_app.py`); Lockstep is below it where it spares what Flask
  does at each request. It is no server; it is what Flask, the web
  server and the store's usual library take of each figure. With RSA it isn't asked again but for D, where it is one
  program without web server or store; W6h has none: what hangs is beyond a floor.
- *granian* is with a core for each worker (`SSO_OWN_CORES=true`, [operations.md](operations.md#cores)), the floor too;
  *gunicorn* is what `sso serve` starts without any option. Other people's processes have no core of their own, and
  those on gunicorn take connections by chance: their ranges are wide. Passwords are asked of 4 at once, not of 8.
- *ms*: processor time of one operation in thousandths of a second: all processes of the server and its Redis together.
  *redis ms* of a table is the part of Redis in it, *server ms* the rest.
- *an operation* of a row is all of its requests: R are two, W5 are four and in one of them is the hash.
"""
_GRANIAN = """
Wherever *granian* stands, `SSO_OWN_CORES=true` is set, which nothing sets by itself. `--web-server granian` without
it isn't measured on this page: when both were measured in the same rounds, R was 16 % and userinfo 40 % more a second
with cores of their own, and password sign-ins a seventh fewer
([the page that decided it](decisions/2026-11-22-workers-may-keep-to-a-core.md)).

What is met or missed by less than a tenth may be the other in the next run. Two whole runs of 2026-11-23, of the same
product on the same machine, differed by 6 % (median) and by 17 % at the most in the sixteen ratios of R, W2, W3u and
W3i to the floor.
"""
_REPRODUCE = """
```
make bench-peers               all but the soak: installs other people's servers by name, measures them beside
                               Lockstep and its floor in the same rounds, then makes this page; about {all} minutes
make bench                     the same without the others, who stay as they were; about {own} minutes
make bench BENCH='serving --rounds 2 --secs 1 --web-servers gunicorn --stores redis --workloads R,W3u'
make bench BENCH='sign_out'    one measurement: {names}
make bench-quick               three minutes: ratios to the floor, against those that are stated here
make bench BENCH=soak          ten minutes of mixed load on two nodes, one of them killed meanwhile
```

Times are those of an idle machine with two cores. A run that names measurements, or only some workloads, stores or
servers, prints and keeps nothing (a soak of ten minutes is kept); with `--save` what it measured stands here in place
of what was known of it, and the page says which figures are of which day and machine. Of every round a raw line is
written to `benchmarks/results/` where it was measured; the repository has all rounds of each figure in
`benchmarks/results.json`. Nothing but the interpreter, `redis-server`, PostgreSQL for the soak and, for the others,
what `scripts/bench-peers` installs is needed; every server listens on 127.0.0.1.
"""
_LIMITS = """
- Client, server and Redis share the cores. What the client takes of them is a figure, too (`client_ms` in
  `benchmarks/results.json`); at the cheapest requests it is a visible part of the requests a second, and no part of
  the processor time.
- Loopback, HTTP/1.1, kept connections, no TLS, no proxy, one machine: latencies are those of the program, not of a
  network.
- A closed loop: eight people, each asking again as soon as answered. A server that is slower is asked less; p99 under
  a fixed rate would be another figure.
- Processor time is what the kernel's clocks of the processes say; what it does for them in interrupts and in threads
  of its own isn't in it.
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
that stayed, all its processes: the median of the second half's samples, and the median of the slopes between any two
of them, since a sample taken while a password is hashed shows 19 MB more.
"""


def page(summary: Summary) -> str:
    """All of it."""
    own, peers = summary.runs.get("own", Run()), summary.runs.get("peers", Run())
    listed = {name: one.title for name, one in WORKLOADS.items()} | _MORE
    found = verdicts(summary)
    parts = [_TITLE, in_short(summary, found), _INTRODUCTION, measured(summary) + "\n", "## What is measured\n"]
    parts += [
        "\n".join(f"- **{name}**: {title}" for name, title in listed.items()) + "\n",
        f"{_WORDS.strip()}\n{fairer(own)}\n{how_many()}\n",
    ]
    parts += ["## Goals\n", _GRANIAN, _goals(found), _PICTURE, "## What a request costs\n"]
    for store, title in (("redis", "Redis"), ("sqlite", "SQLite")):
        parts += _table(f"### Processor time, sessions in {title}, ES256", tables.costs(own, store))
    parts += _table("### Processor time with RSA signatures (RS256), Redis", tables.costs(own, "redis", "RS256"))
    cases = tables.cases_of(own)
    parts += _table("### Operations a second, 8 connections", tables.rates(own, cases))
    parts += _table("### Answered after (p50 / p99 ms), 8 connections", tables.waits(own, cases))
    parts += _table("### Answered after (p50 / p99 ms), one connection", tables.waits(own, cases, lambda _: "1"))
    cases = tables.cases_of(peers)
    if cases:
        parts += ["## Beside other people's servers\n", words({case.product for case in cases}), beside(peers)]
        parts += _table("### Their processor time, server + Redis, in ms", tables.processor_time(peers, cases))
        parts += _table("### Their operations a second, 8 connections", tables.rates(peers, cases))
        parts += _table("### Answered by them after (p50 / p99 ms), 8 connections", tables.waits(peers, cases))
        parts += _table(f"### Their sign-outs\n\n{_TOLD.strip()}", tables.of_measurement(peers, "W6", "W6h"))
    for title, names in _FURTHER:
        parts += _table(title, tables.of_measurement(own, *names))
        if "W6" in names and (said := tails(own)):
            parts.append(said + "\n")
    if soak := summary.runs.get("soak"):
        parts += _table(f"## Ten minutes of mixed load\n\n{_SOAK.strip()}", tables.of_measurement(soak, "soak"))
        parts += _table("### How long people waited meanwhile", tables.of_measurement(soak, "wait"))
    times = {name: minutes(MEASUREMENTS, Given(peers=others)) for name, others in (("own", ()), ("all", ("all",)))}
    parts += ["## Again, on your machine", _REPRODUCE.format(names=", ".join(MEASUREMENTS), **times)]
    parts += ["## What limits the reading", _LIMITS]
    return "\n".join(parts).replace("\n\n\n", "\n\n").strip() + "\n"


_SIGNING_OUT = """
20 sites are told (W6); three of them hang (W6h). Times are in ms after the click; p99 is of all rounds together.
The first sign-out of a round isn't counted. *told* is how many of the 20 had been called when we stopped looking, the
median. Where three hang that is 17 at Lockstep as soon as somebody has signed out before: that call still holds the
lane of each site that hangs, the next ones stand behind it and are sent when the lane is free again, and no other site
waits for them.
"""
_TOLD = f"""
Times are in ms after the click; *waits* is until the person has an answer. *told* is how many of the 20 sites had been
called when we stopped looking, the median; that is when all but those that hang had been, or after {PATIENCE_S:g} s.
"""
_STORM = """
Userinfo is asked for 100 times a second, first alone, then while 50 people sign in again and again; p50 and p99 are
userinfo's. *sent away*: asked to try again in a moment.
"""
_FILLING = """
On gunicorn only. A centre of its own for each number of sessions; all of them run at once and are asked in turn.
*against the fewest* is the ratio of processor time to that with the fewest sessions, round by round. *seconds* is how
long filling took, and no part of a goal.
"""
_PICTURE = "![Processor time of each kind of request](pictures/performance.svg)\n"
_FURTHER = (
    (
        f"## Signing out\n\n{_SIGNING_OUT.strip()}",
        ("W6", "W6h"),
    ),
    (
        "## Deliveries\n\nCounted: the delivery process and its Redis. The floor signs and sends; it has no ledger.",
        ("D",),
    ),
    ("## Check-ins\n\nEight stores ask at once, and acknowledge nothing: each hears the same again.", ("F",)),
    (
        f"## A storm of sign-ins\n\n{_STORM.strip()}",
        ("storm",),
    ),
    (
        "## Cold start\n\nFrom `sso serve` on a data directory that has schema and keys to both first answers.",
        ("cold start",),
    ),
    ("## Memory\n\nLooked at once, before any sign-in and after many.", ("memory",)),
    (
        f"## As the store fills\n\n{_FILLING.strip()}",
        ("growth",),
    ),
)


def _goals(found: list[Verdict]) -> str:
    known = [verdict for verdict in found if verdict.measured]
    met = sum(verdict.is_met for verdict in known)
    waiting = f", {len(found) - len(known)} are not measured" if len(known) < len(found) else ""
    rows = [tuple(_row(verdict)) for verdict in found]
    text = f"{met} of {len(known)} are met{waiting}.\n\n"
    text += tables.table(["goal", "where", "bound", "measured", "verdict"], rows) + "\n"
    missed = dict.fromkeys(verdict.goal.about for verdict in known if not verdict.is_met)
    texts: dict[str, list[str]] = {}
    for about in missed:
        texts.setdefault(TRIED.get(about, NOTHING_TRIED), []).append(f"*{about}*")
    tried = [f"- {'; '.join(abouts)}: {said}" for said, abouts in texts.items()]
    return text + ("\n### What was tried for those that are missed\n\n" + "\n".join(tried) + "\n" if tried else "")


def _row(verdict: Verdict) -> Iterator[str]:
    goal, measured = verdict.goal, verdict.measured
    unit = goal.unit if goal.unit in ("x", "/s", "") else f" {goal.unit}"
    yield goal.about
    yield f"{goal.where}: {verdict.note}" if verdict.note else goal.where
    bound = (
        "to be stated" if goal.bound is None else f"at {'most' if goal.at_most else 'least'} {short(goal.bound)}{unit}"
    )
    yield bound
    if measured is None:
        yield from (tables.NOTHING, "not measured")
        return
    yield f"{short(measured.median)}{unit}{tables.between(measured)}"
    yield _verdict(verdict)


def _verdict(verdict: Verdict) -> str:
    """`met`, or by how much it isn't; and whether few rounds say so."""
    if verdict.goal.bound is None:
        said = "stated"
    elif verdict.is_met:
        said = "met"
    elif verdict.missed_by == math.inf:
        said = "**missed**"
    else:
        said = f"**missed by {f'{verdict.missed_by:.0%}' if verdict.missed_by >= 0.01 else 'less than 1%'}**"
    if verdict.goal.is_stated_once:
        return f"{said} (measured once)"
    if verdict.rounds < ROUNDS:
        return f"{said} ({verdict.rounds} {'round' if verdict.rounds == 1 else 'rounds'})"
    return said


def _table(title: str, text: str) -> Iterable[str]:
    return [f"{title}\n", text + "\n"] if text else []


def write(summary: Summary) -> None:
    """The page and the picture."""
    PAGE.write_text(page(summary), encoding="utf-8")
    PICTURE.write_text(picture(summary), encoding="utf-8")


if __name__ == "__main__":
    write(Summary.load())
