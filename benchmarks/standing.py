"""How Lockstep stands to other people's servers: ratios of one round, and in words where it is behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.goals import EACH, WEB_SERVERS, at, called, floor, ours, where
from benchmarks.results import Run, Values, spread_of
from benchmarks.servers import Case
from benchmarks.tables import NOTHING, short, spread, table
from benchmarks.workloads import WORKLOADS

OWN = ("lockstep", "floor")
#: Processor time is compared in what people wait for most: a silent sign-in, and one with a password.
DEAR = ("R", "W5")

_RATIOS = """
Lockstep on Redis against each, beside which it was asked in the same rounds: the median of the ratios, and the least
and the most. Above 1 Lockstep answers more.
"""
_COSTS = """
The same of processor time, server and Redis: above 1 Lockstep takes more.
"""
_PASSWORDS = """
W5 is another thing here than there: Lockstep hashes one password at a time for every two cores of a node
([why](decisions/2026-11-22-sign-ins-take-turns.md)), so that session checks don't stand behind a crowd that signs in,
and leaves the other cores to them; the others hash on every core that is free. On two cores that is at most half as
many hashes at a time. The hash itself is made with the same parameters at oidc-provider and authlib, but not
everywhere by the same library ([Lockstep's](decisions/2026-11-23-libsodium-hashes.md)).
"""
#: What R's floor would spare, in ms: least and most. Three trips to Redis took 0.18 ms with redis-py and 0.065 with our
#: link on a day when a call of the link took 18 us, and not 11 as on the decision's page. Of two commits on SQLite each
#: takes 59 us alone and 14 where four share one; how many share one at Lockstep isn't counted.
_SPARED_MS = {"redis": (0.07, 0.12), "sqlite": (0.0, 0.09)}
_LIBRARIES = """
- The floor is made with the usual libraries: redis-py, and a commit for each write on SQLite. Lockstep has [a link of
  its own](decisions/2026-11-22-what-a-step-costs-redis.md) and [commits that
  writers share](decisions/2026-11-22-writers-share-a-commit.md), so part of what its checks cost is won back there, and
  a ratio to the floor isn't the price of the checks alone.
"""


def beside(run: Run) -> str:
    """Both tables, and who is ahead; '' if nobody else was measured."""
    rates = _ratios(run, "per_second", [*WORKLOADS])
    if not rates:
        return ""
    costs = _ratios(run, "cpu_ms", DEAR)
    parts = ["### Lockstep's operations a second against theirs", _RATIOS.strip(), rates, behind(run)]
    parts.append(_PASSWORDS.strip() if any(_against(run, "per_second", "W5")) else "")
    parts += ["### Lockstep's processor time against theirs", _COSTS.strip(), costs] if costs else []
    return "\n\n".join(part for part in parts if part) + "\n"


def behind(run: Run) -> str:
    """Each workload in which somebody else answers more, by the median: in words."""
    found: dict[str, list[str]] = {}
    for mine, theirs, what, values in _against(run, "per_second"):
        if (median := spread_of(values.values()).median) < 1:
            key = f"with {called(mine.web_server)} behind {_name(theirs)}"
            found.setdefault(key, []).append(f"{what} ({short(median)})")
    if not found:
        return "By the median Lockstep is behind none of them in anything."
    said = "; ".join(f"{key} in {', '.join(whats)}" for key, whats in found.items())
    return f"**Where Lockstep is behind**, by the median: {said}."


def fairer(run: Run) -> str:
    """What the ratio of R would be if the floor spared what Lockstep spares: an estimate, and said to be one."""
    found = []
    for case in EACH:
        mine, least = (run.values(one, "R", "cpu_ms", at("R")) for one in (case, floor(case)))
        if ratios := run.ratio(mine, least):
            stated = spread_of(ratios.values()).median
            floor_ms = spread_of(least.values()).median
            few, many = (stated * floor_ms / (floor_ms - spared) for spared in _SPARED_MS[case.store])
            up_to = f"{short(few)} to {short(many)}" if short(few) != short(stated) else f"up to {short(many)}"
            found.append(f"{where(case)}: {up_to} instead of {short(stated)}")
    if not found:
        return _LIBRARIES.strip()
    return (
        f"{_LIBRARIES.strip()} Estimated, not measured, is the ratio of R to a floor that spares as much (three trips "
        "to Redis, each 25 to 40 us dearer with redis-py; two commits, each shared by four at the most): "
        f"{'; '.join(found)}."
    )


def _ratios(run: Run, figure: str, workloads: Sequence[str]) -> str:
    rows: dict[tuple[Case, Case], dict[str, Values]] = {}
    for mine, theirs, what, values in _against(run, figure):
        if what in workloads:
            rows.setdefault((mine, theirs), {})[what] = values
    used = [what for what in workloads if any(what in row for row in rows.values())]
    return table(
        ["", *used],
        [
            [
                f"{called(mine.web_server)}, against {_name(theirs)}",
                *(spread(row[what]) if what in row else NOTHING for what in used),
            ]
            for (mine, theirs), row in rows.items()
        ],
    )


def _against(run: Run, figure: str, only: str = "") -> Iterator[tuple[Case, Case, str, Values]]:
    """(Lockstep, somebody else, workload, ratios), of those who were asked beside each other."""
    others = dict.fromkeys(case for case, what, _, _ in run.figures if what in WORKLOADS and case.product not in OWN)
    for theirs in others:
        # Whoever signs nothing was asked beside those who sign with ES256.
        algorithm = "RS256" if theirs.algorithm == "RS256" else "ES256"
        for web_server in WEB_SERVERS:
            mine = ours(web_server, "redis", algorithm)
            for what in [only] if only else WORKLOADS:
                both = (run.values(case, what, figure, at(what)) for case in (mine, theirs))
                if values := run.ratio(*both):
                    yield mine, theirs, what, values


def _name(case: Case) -> str:
    return f"{case.product} ({case.algorithm})" if case.algorithm == "RS256" else case.product
