"""docs/configuration.md is what the settings' docstrings say today."""

import subprocess
import sys

from sso_server.config import Settings
from tests.house.sources import ROOT

PAGE = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
SCRIPT = "scripts/configuration_page.py"


def test_the_page_is_up_to_date() -> None:
    made = subprocess.run([sys.executable, SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert made.stdout == PAGE, f"renew it: .venv/bin/python {SCRIPT} > docs/configuration.md"


def test_every_setting_has_a_sentence() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
    assert [name for name in Settings.model_fields if f"`SSO_{name.upper()}`" not in PAGE] == []
