"""docs/sdk.md names every setting and every error code of the SDK."""

from dataclasses import fields

from sso_client.error_texts import TEXTS
from sso_client.settings import Settings
from tests.house.sources import ROOT

PAGE = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")


def test_every_setting_is_documented() -> None:
    assert [f.name for f in fields(Settings) if f"| `SSO_{f.name.upper()}` |" not in PAGE] == []


def test_every_error_code_is_documented_with_its_cause_and_fix() -> None:
    missing = [
        code for code, text in TEXTS.items() if f"| `{code}` | {text.status} | {text.cause} | {text.fix} |" not in PAGE
    ]
    assert missing == []
