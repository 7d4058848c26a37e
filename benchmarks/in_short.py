"""The page in five sentences, each made of its figures; what wasn't measured has none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from benchmarks.goals import EACH, STORES, WEB_SERVERS, Verdict, at, called, floor, growth, ours, over_floor
from benchmarks.results import Run, Summary, Values, spread_of
from benchmarks.servers import Case
from benchmarks.tables import short, spread

_STORES = {"redis": "Redis", "sqlite": "SQLite"}


def in_short(summary: Summary, found: Iterable[Verdict]) -> str:
    """A list; '' when nothing is known."""
    own, peers = summary.runs.get("own", Run()), summary.runs.get("peers", Run())
    said = [*_against_the_best(peers), *_against_the_floor(own), *_signing_out(own), *_growing(summary)]
    said += _missed(found)
    return "\n".join(f"- {sentence}" for sentence in said) + "\n" if said else ""


def _against_the_best(run: Run) -> Iterator[str]:
    """Who of the others answers most silent sign-ins."""
    found: list[str] = []
    rates = {case: run.values(case, "R", "per_second", at("R")) for case in run.cases("R", at("R"))}
    others = [case for case in rates if case.product != "lockstep" and case.algorithm == "ES256"]
    if not others:
        return
    best = max(others, key=lambda case: _median(rates[case]))
    for name, what in (("R", "silent sign-ins"), ("W5", "sign-ins with a password")):
        theirs = run.values(best, name, "per_second", at(name))
        mine = {one: run.values(ours(one, "redis"), name, "per_second", at(name)) for one in WEB_SERVERS}
        ratios = {one: run.ratio(values, theirs) for one, values in mine.items()}
        if said := [f"{spread(values)} with {called(one)}" for one, values in ratios.items() if values]:
            found.append(f"{what} {', '.join(said)}")
    if found:
        yield (
            f"**Beside {best.product}**, of the others measured here the one with most silent sign-ins a second, "
            f"Lockstep on Redis answers so many times as many: {'; '.join(found)}. All ratios, and in words where it "
            "is behind, are [below](#beside-other-peoples-servers)."
        )


def _against_the_floor(run: Run) -> Iterator[str]:
    """Processor time, over all web servers and stores."""
    names = {"R": "a silent sign-in", "W3u": "userinfo", "W4": "a refresh"}
    ratios = {name: _medians(lambda case, what=what: over_floor(run, case, what)) for what, name in names.items()}
    if said := [f"{name} {_from_to(values)}" for name, values in ratios.items() if values]:
        yield (
            "**Against bare Flask**, which checks nothing, an operation takes so many times the processor time: "
            f"{'; '.join(said)}."
        )


def _signing_out(run: Run) -> Iterator[str]:
    """What a person waits, and when the last site hears."""
    waits, told, hangs = (
        _medians(lambda case, what=what, name=name: run.values(case, what, name))
        for what, name in (("W6", "waits_ms"), ("W6", "last_told_ms"), ("W6h", "waits_ms"))
    )
    if waits and told:
        least = _medians(lambda case: run.values(floor(case), "W6", "waits_ms"))
        more = f", {_from_to(hangs)} where three of them hang" if hangs else ""
        flask = f" (bare Flask: {_from_to(least)})" if least else ""
        yield (
            f"**Signing out of 20 sites**, a person waits {_from_to(waits)} ms{flask}{more}; the last site is "
            f"told after {_from_to(told)} ms. Medians: what the slowest waited is [below](#signing-out)."
        )


def _growing(summary: Summary) -> Iterator[str]:
    """The step that grew most."""
    found = {store: growth(store)(summary) for store in STORES}
    if said := [f"{_times(values)} on {_STORES[store]} ({what})" for store, (what, values) in found.items() if values]:
        yield (
            "**With a million sessions in the store** instead of a thousand, the step that grew most takes "
            f"{' and '.join(said)} the processor time."
        )


def _missed(found: Iterable[Verdict]) -> Iterator[str]:
    """By name."""
    known = [one for one in found if one.measured]
    missed = [one for one in known if not one.is_met]
    names = dict.fromkeys(one.goal.about for one in missed)
    if missed:
        yield f"**Missed are {len(missed)} of {len(known)} goals**: {'; '.join(names)}."
    elif known:
        yield f"**All {len(known)} goals that were measured are met.**"


def _medians(read: Callable[[Case], Values]) -> list[float]:
    return [_median(values) for case in EACH if (values := read(case))]


def _median(values: Values) -> float:
    return spread_of(values.values()).median


def _from_to(values: list[float]) -> str:
    low, high = short(min(values)), short(max(values))
    return low if low == high else f"{low} to {high}"


def _times(values: Values) -> str:
    return spread(values, " times")
