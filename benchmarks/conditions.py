"""On which machine, with which programs and which version of ours figures were measured: once what is common to all,
and line by line only what differs.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.results import Summary, is_idle

_TITLES = {"own": "Lockstep and its floor", "peers": "other people's servers", "soak": "ten minutes of mixed load"}
#: These open and close a line.
_APART = ("measured", "load before")


def measured(summary: Summary) -> str:
    """The common part, if there are several lines, and a line for each machine and day."""
    lines = _lines(summary)
    said = [_said(machine) for machine, _ in lines]
    common = [one for one in said[0] if all(one in other for other in said)] if len(said) > 1 else []
    text = f"All of it: {_joined(common)}.\n\n" if common else ""
    return text + "\n".join(
        f"- **{'; '.join(labels)}**: {_described(machine, [one for one in whole if one not in common])}"
        for (machine, labels), whole in zip(lines, said, strict=True)
    )


def _lines(summary: Summary) -> list[tuple[dict[str, str], list[str]]]:
    """Machines with what was measured there, usually few."""
    lines: list[tuple[dict[str, str], list[str]]] = []
    for name, run in summary.runs.items():
        groups = run.conditions()
        for whats, machine in groups:
            parts = dict.fromkeys(what.partition(" of ")[0] for what in whats)
            label = _TITLES.get(name, name) + (f" ({', '.join(parts)})" if len(groups) > 1 else "")
            same = next((labels for known, labels in lines if known == machine), None)
            if same is None:
                lines.append((machine, [label]))
            else:
                same.append(label)
    return lines


def _said(machine: Mapping[str, str]) -> list[tuple[str, str]]:
    """(what, value), each program by itself: one may differ where the others don't."""
    found = []
    for key, value in machine.items():
        if value and key not in _APART:
            found += [(key, part) for part in (value.split(", ") if key == "programs" else [value])]
    return found


def _joined(said: list[tuple[str, str]]) -> str:
    grouped: dict[str, list[str]] = {}
    for key, value in said:
        grouped.setdefault(key, []).append(value)
    return "; ".join(f"{key}: {', '.join(values)}" for key, values in grouped.items())


def _described(machine: Mapping[str, str], said: list[tuple[str, str]]) -> str:
    known = {key: value for key, value in machine.items() if value}
    busy = "" if is_idle(known) else " **Other programs were busy on it: take ratios, and these with doubt.**"
    rest = f" {_joined(said)}." if said else ""
    return f"{machine.get('measured', '')}.{rest} Load before: {machine.get('load before') or '?'}.{busy}"
