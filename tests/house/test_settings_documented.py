"""docs/configuration.md is what the settings' docstrings say today."""

import dataclasses
import re
import subprocess
import sys

from sso_client.settings import Settings as SiteSettings
from sso_server.config import NAMES, load
from tests.house.sources import ROOT

PAGE = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
SCRIPT = "scripts/configuration_page.py"


def test_the_page_is_up_to_date() -> None:
    made = subprocess.run([sys.executable, SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert made.stdout == PAGE, f"renew it: .venv/bin/python {SCRIPT} > docs/configuration.md"


def test_every_setting_has_a_sentence() -> None:
    rows = dict(re.findall(r"^\| `(SSO_[A-Z_]+)`(?:\\\*)? \|.*\| (.*) \|$", PAGE, flags=re.MULTILINE))
    assert [name for name in NAMES if not rows[f"SSO_{name.upper()}"].strip()] == []


def test_every_setting_of_a_site_may_stand_in_the_environment_of_a_centre() -> None:
    """Whoever follows the pages on one machine runs both in one shell."""
    names = {f"SSO_{field.name.upper()}" for field in dataclasses.fields(SiteSettings)}
    own = {f"SSO_{name.upper()}" for name in NAMES}
    load(dict.fromkeys(names - own, "x"))
