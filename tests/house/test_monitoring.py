"""docs/monitoring.md has every number as it is, and every alert asks for numbers that exist."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import yaml

from sso_server.metrics.numbers import Numbers
from tests.house.sources import ROOT, python_files

PAGE = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
RULES = yaml.safe_load((ROOT / "docs/alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
PROMTOOL = shutil.which("promtool")


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


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_itself_takes_the_alerts() -> None:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, "check", "rules", str(ROOT / "docs/alerts.yml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stdout + done.stderr
