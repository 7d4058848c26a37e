"""The documentation points at things that exist: pages, headings, files of the source."""

import re
from pathlib import Path

import pytest

from tests.house.sources import ROOT, tracked_files

PAGES = sorted(path for path in tracked_files() if path.suffix == ".md")
#: A decision speaks of its day, and isn't edited when what it names is gone.
OF_TODAY = [page for page in PAGES if page.parent.name != "decisions"]


def prose(path: Path) -> str:
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def slugs(path: Path) -> set[str]:
    """The anchors of a page's headings, as the usual viewers make them."""
    headings = re.findall(r"^#+ (.*)$", prose(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for target in re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        goal = (page.parent / name).resolve() if name else page
        if not goal.exists() or (anchor and goal.suffix == ".md" and anchor not in slugs(goal)):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("page", OF_TODAY, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_source_file_named_in_full_exists(page: Path) -> None:
    named = re.findall(r"`((?:sso_server|sso_client|demo_apps|tests|scripts|docs)/[\w./-]+)`", prose(page))
    assert [name for name in named if not (ROOT / name.rstrip("/")).exists()] == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = [path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md"]
    assert [name for name in pages if f"]({name})" not in index] == []


def test_every_decision_is_in_its_index() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    pages = [path.name for path in (ROOT / "docs/decisions").glob("2*.md")]
    assert [name for name in pages if f"]({name})" not in index] == []


def test_the_example_environment_names_real_settings_only() -> None:
    config = pytest.importorskip("sso_server.config")
    names = re.findall(r"^#?(SSO_[A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), flags=re.MULTILINE)
    known = {f"SSO_{field.upper()}" for field in config.NAMES}
    assert [name for name in names if name not in known] == []
