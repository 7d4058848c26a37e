"""The table that a run prints."""

from collections import Counter

from tests.faults.conductor import Outcome, Scale
from tests.faults.reckoning import Reckoning

_SHOWN = 25


def render(engine: str, scale: Scale, outcome: Outcome) -> str:
    """The table, and below it what may not be."""
    found = outcome.reckoning
    lines = [
        f"{engine}: seed {scale.seed}, {scale.sites} sites with {outcome.hosts} hosts, {outcome.took_s:.0f} s",
        _line("sign-outs", str(found.sign_outs), f"{found.over_http} over HTTP{_visits(found)}; {_reasons(found)}"),
        _line("notifications", str(sum(found.states.values())), _counts(found.states)),
        _line("calls", str(sum(outcome.attempts.values())), _counts(outcome.attempts)),
        _line("kill -9", str(len(outcome.killed_at)), _kills(outcome)),
        _row(found, "unaccounted"),
        _row(found, "acted on twice"),
        _row(found, "brought back", "sessions brought back"),
        _overhang(found),
        _line("latest end", f"{found.latest_end_ms / 1000:.2f} s", "after a deadline, or after an answered order"),
        _row(found, "early", "early sign-outs"),
        _row(found, "not seen", "faults not seen"),
    ]
    for row, faults in found.faults.items():
        if faults:
            lines.append(f"{row}:")
            lines += [f"    {sentence}" for sentence in faults[:_SHOWN]]
            if len(faults) > _SHOWN:
                lines.append(f"    and {len(faults) - _SHOWN} more")
    return "\n".join(lines)


def _line(name: str, value: str, more: str) -> str:
    return f"  {name:<24}{value:>8}   {more}"


def _row(found: Reckoning, row: str, name: str = "") -> str:
    count = len(found.faults[row])
    return _line(name or row, str(count), "must be 0" + ("" if not count else "   FAILED"))


def _overhang(found: Reckoning) -> str:
    allowed = f"at most {found.allowed_overhang_ms / 1000:.2f} s; {found.watched} local sessions watched"
    failed = "   FAILED" if found.faults["overhang"] else ""
    return _line("worst overhang", f"{found.worst_overhang_ms / 1000:.2f} s", allowed + failed)


def _visits(found: Reckoning) -> str:
    done, planned = (sum(pair[i] for pair in found.visits_over_http.values()) for i in (0, 1))
    return f", {done} of {planned} visits of sites" if planned else ""


def _counts(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counted.most_common())


def _reasons(found: Reckoning) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(found.reasons.items()))


def _kills(outcome: Outcome) -> str:
    points = f"at {len(set(outcome.killed_at))} named points"
    return points + (f"; nobody came by {', '.join(outcome.not_passed)}" if outcome.not_passed else "")
