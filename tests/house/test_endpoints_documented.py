"""Every address of the centre is in docs/endpoints.md, and every address there exists."""

import re
from pathlib import Path

import pytest

from sso_server.app import create_app
from sso_server.config import Settings
from tests.house.sources import ROOT

PAGE = (ROOT / "docs/endpoints.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    directory: Path = tmp_path_factory.mktemp("centre")
    app = create_app(Settings(data_dir=directory, log_format="json"))
    try:
        return {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    finally:
        app.extensions["lockstep_built"].close()


def test_every_address_is_documented(rules: set[str]) -> None:
    written = set(re.findall(r"`(/[^`\s?]*)[`?]", PAGE))
    assert sorted(rules - written) == []


def test_every_documented_address_exists(rules: set[str]) -> None:
    table = PAGE.split("\n## ", 1)[0] + PAGE.split("\n## Pages\n", 1)[1].split("\n## ", 1)[0]
    written = set(re.findall(r"`(/[^`\s?]*)`", table))
    assert sorted(written - rules) == []
