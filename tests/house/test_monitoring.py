"""docs/monitoring.md has every number as it is, and every alert asks for numbers that exist."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from sso_server.metrics.numbers import Numbers
from tests.house.sources import ROOT, python_files
from tests.support.promql import DURATION, type_of

PAGE = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
ALERTS = yaml.safe_load((ROOT / "docs/alerts.yml").read_text(encoding="utf-8"))
RULES = ALERTS["groups"][0]["rules"]


def numbers() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name -> type and labels, as Prometheus sees them."""
    made = Numbers.alone().made
    found = {n._name + ("_total" if n._type == "counter" else ""): (n._type, tuple(n._labelnames)) for n in made}
    return found | {"lockstep_build_info": ("gauge", ("version", "python", "sessions"))}


def test_every_number_is_on_the_page_with_its_type_and_labels() -> None:
    rows = re.findall(r"^\| `(lockstep_\w+)` \| (\w+) \| ([^|]*)\| ([^|]+) \|$", PAGE, flags=re.MULTILINE)
    written = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in rows}
    assert written == numbers()
    assert len(rows) == len(written)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_numbers_and_labels_that_exist_and_says_what_to_do_first(rule: dict[str, str]) -> None:
    known = numbers()
    counted = Numbers.alone()
    counted.counted_at.set(1)
    series = {line.partition(" ")[0] for line in counted.text().decode().splitlines()}
    for name, selector in re.findall(r"(lockstep_\w+)(\{[^}]*\})?", rule["expr"]):
        plain = name if name in known else re.sub(r"_(bucket|sum|count)$", "", name)
        kind, labels = known[plain]
        assert plain == name or kind == "histogram", name
        for label, sign, value in re.findall(r"(\w+)(=~|!~|!=|=)\"([^\"]*)\"", selector):
            assert label in labels, (name, label)
            of_it = [line for line in series if line.startswith(f"{name}{{")]
            values = {found for line in of_it for found in re.findall(f'{label}="([^"]*)"', line)}
            if values and sign in ("=", "=~"):
                assert set(value.split("|")) <= values, (name, label, value)
    for clause in re.findall(r"by \(([^)]*)\)", rule["expr"]):
        allowed = {"le", "instance", *(label for _, labels in known.values() for label in labels)}
        assert set(re.split(r",\s*", clause)) <= allowed
    section = PAGE.split(f"\n### {rule['alert']}\n", 1)[1].split("\n### ", 1)[0]
    assert " ".join(rule["expr"].split()) in section
    assert "*First:*" in section
    assert rule["annotations"]["summary"]


def test_every_alert_on_the_page_is_in_the_file() -> None:
    assert re.findall(r"^### (\w+)$", PAGE, flags=re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_lines_that_the_page_names_are_written_somewhere() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in python_files("sso_server"))
    named = set(re.findall(r"`(\w+_(?:pauses|audited|died|error|refused|sent|redeemed|ready))`", PAGE))
    assert len(named) > 8
    assert [name for name in named if f'"{name}"' not in source] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_written_as_prometheus_reads_it(rule: dict[str, Any]) -> None:
    assert type_of(rule["expr"]) == "vector"
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(DURATION, rule.get("for", "1m"))
    assert set(rule["labels"]) == {"severity"}
    assert set(rule["annotations"]) == {"summary"}
    # What a template may say: a value as it is or put into words, and labels that the expression leaves.
    left = {label for clause in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in re.split(r",\s*", clause)}
    for template in re.findall(r"\{\{(.*?)\}\}", rule["annotations"]["summary"]):
        value = re.fullmatch(r" \$value(?: \| humanize(?:Duration|Percentage)?)? ", template)
        label = re.fullmatch(r" \$labels\.(\w+) ", template)
        assert value or label, template
        assert value or label is None or label[1] in (left or {"instance"}), template
    assert "{{" not in re.sub(r"\{\{.*?\}\}", "", rule["annotations"]["summary"])


def test_the_file_of_alerts_has_one_group_and_each_alert_once() -> None:
    assert set(ALERTS) == {"groups"}
    (group,) = ALERTS["groups"]
    assert set(group) == {"name", "rules"}
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names)) > 20


@pytest.mark.parametrize(
    "expression",
    [
        "rate(lockstep_x_total) > 1",
        "sum by (le (lockstep_x) > 1",
        "max(lockstep_x[5m]) > 1",
        "lockstep_x{a=b} > 1",
        'lockstep_x{a="b" c="d"}',
        "lockstep_x[5 m]",
        "median(lockstep_x)",
        "histogram_quantile(lockstep_x_bucket, 0.9)",
        "lockstep_x > ",
        "lockstep_x > 1)",
        "1 > 2",
        "lockstep_x and 1",
        'lockstep_x{a=~"("}',
    ],
)
def test_what_prometheus_would_refuse_is_seen(expression: str) -> None:
    with pytest.raises((ValueError, re.error)):
        type_of(expression)
