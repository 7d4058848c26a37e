"""docs/sdk.md and docs/sdk.zh.md name every setting of the SDK, docs/troubleshooting.md every error code."""

import subprocess
import sys
from dataclasses import fields

import pytest

from sso_client.error_texts import TEXTS
from sso_client.settings import Settings
from tests.house.sources import ROOT


@pytest.mark.parametrize("page", ["sdk.md", "sdk.zh.md"])
def test_every_setting_is_documented(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert [f.name for f in fields(Settings) if f"| `SSO_{f.name.upper()}` |" not in text] == []


def test_the_troubleshooting_pages_are_up_to_date() -> None:
    script = [sys.executable, "scripts/troubleshooting_pages.py", "--check"]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.returncode) == ("", 0)


def test_every_error_code_has_words_in_both_languages() -> None:
    bare = [code for code, text in TEXTS.items() if not all((text.cause, text.cause_zh, text.fix, text.fix_zh))]
    assert bare == []
