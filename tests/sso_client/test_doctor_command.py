"""`python -m sso_client doctor` on the terminal: exit codes, languages, JSON, and no secret in any of it."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sso_client.doctor.command import main
from sso_client.doctor.findings import problem
from sso_client.doctor.report import as_json, as_text, hidden
from sso_client.doctor.texts import DOCTOR_TEXTS
from sso_client.doctor.words import CHECKS, PHRASES, SEEN, VERDICTS
from sso_client.error_texts import TEXTS
from tests.support.examined import SECRET, Shop

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "sso_client/doctor").glob("*.py"))


@pytest.fixture
def environment(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A good site runs, and its settings are in the environment."""
    url = shop.run(shop.app())
    shop.centre.register(url)
    found = {
        "SSO_ISSUER": shop.centre.issuer,
        "SSO_CLIENT_ID": "shop",
        "SSO_CLIENT_SECRET": SECRET,
        "SSO_BASE_URL": url,
        "SSO_STORE": shop.store,
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["doctor", *arguments]) == code
    return capsys.readouterr().out


@pytest.mark.usefixtures("environment")
def test_nothing_to_mend_is_zero(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys)
    assert text.splitlines()[-1] == "Nothing to mend."
    assert {line.split()[0] for line in text.splitlines()[:-1]} == {"ok"}


@pytest.mark.usefixtures("environment")
def test_a_problem_is_one_with_cause_and_cure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSO_CLIENT_SECRET", "quite-another-secret")
    text = said(capsys, code=1)
    for word in ("client_refused", TEXTS["client_refused"].cause, TEXTS["client_refused"].fix):
        assert word in text
    assert "quite-another-secret" not in text


@pytest.mark.usefixtures("environment")
def test_the_report_in_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--lang", "zh")
    assert text.splitlines()[-1] == "一切正常。"
    assert all(line.startswith("正常") for line in text.splitlines()[:-1])


def test_the_report_for_programs(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    report: dict[str, Any] = json.loads(said(capsys, "--json", "--url", environment["SSO_BASE_URL"] + "/"))
    assert report["verdict"] == "ok"
    assert {"check", "level", "code", "seen", "cause", "cure", "advice"} == set(report["findings"][0])


@pytest.mark.parametrize("store", ["redis:/shop:very-secret@host/0", "redis://shop:very-secret#x@host:6379/0"])
def test_bad_settings_are_all_named(
    store: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSO_ISSUER", "http://sso.example.com")
    monkeypatch.setenv("SSO_STORE", store)
    report = json.loads(said(capsys, "--json", code=1))
    assert {finding["code"] for finding in report["findings"]} == {"settings_invalid"}
    for name in ("SSO_ISSUER", "SSO_CLIENT_ID", "SSO_CLIENT_SECRET", "SSO_STORE"):
        assert any(name in finding["seen"] for finding in report["findings"])
    assert "very-secret" not in json.dumps(report)


@pytest.mark.parametrize(
    "arguments", [[], ["cure"], ["doctor", "--url", "shop"], ["doctor", "--lang", "de"], ["doctor", "extra"]]
)
def test_wrong_usage_is_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_it_runs_as_a_module(environment: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sso_client", "doctor", "--json"],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **environment},
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, json.loads(done.stdout)["verdict"], done.stderr) == (0, "ok", "")


def test_secrets_are_taken_out_of_whatever_was_seen() -> None:
    seen = f"https://a:b@host/ quotes {SECRET} and redis://shop:p/w@host/0 or redis://host/0?password=pass&x=1"
    finding = problem("store", "store_failed", "failed", detail=seen)
    for report in (as_text([finding], "en", (SECRET,)), as_json([finding], "zh", (SECRET,))):
        assert [word for word in (SECRET, "a:b", "p/w", "/w", "=pass") if word in report] == []
    assert "s3cret%2F%2B" not in hidden("the form had s3cret%2F%2B in it", ("s3cret/+",))


def test_what_a_site_sends_does_not_speak_to_the_terminal() -> None:
    finding = problem("address", "redirect_uri_mismatch", "comes_back", uri="http://host/\x1b[2J\r\nok all: fine")
    assert as_text([finding], "en").splitlines()[0].endswith("people come back to http://host/ [2J ok all: fine")


def gaps(sentence: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", sentence))


def test_every_sentence_has_its_chinese_with_no_gap_of_its_own() -> None:
    assert [key for key, (english, chinese) in SEEN.items() if not chinese or gaps(chinese) - gaps(english)] == []
    assert PHRASES["en"].keys() == PHRASES["zh"].keys()
    assert VERDICTS["en"].keys() == VERDICTS["zh"].keys()
    for text in DOCTOR_TEXTS.values():
        assert all((text.cause, text.cause_zh, text.fix, text.fix_zh))


def test_no_sentence_is_left_over() -> None:
    """That none is missing shows wherever the tests find something: each finding is said in both languages there."""
    constants = {
        node.value
        for path in SOURCES
        if path.name != "words.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
    }
    assert [key for key in SEEN if key not in constants and not key.startswith("discovery_")] == []
    assert [check for check in CHECKS if check not in constants] == []


def test_every_code_of_the_doctor_is_on_its_pages() -> None:
    english = (ROOT / "docs/sdk-doctor.md").read_text(encoding="utf-8")
    chinese = (ROOT / "docs/sdk-doctor.zh.md").read_text(encoding="utf-8")
    for code, text in DOCTOR_TEXTS.items():
        assert f"| `{code}` | {text.cause} | {text.fix} |" in english
        assert f"| `{code}` | {text.cause_zh} | {text.fix_zh} |" in chinese
    assert set(DOCTOR_TEXTS) & set(TEXTS) == set()
    for page in (english, chinese):
        rows = [line.split("|") for line in page.splitlines() if line.startswith("| ") and line.count("|") == 4]
        named = {code for row in rows for code in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", row[-2])}
        assert named - set(DOCTOR_TEXTS) - set(TEXTS) == set()
        assert set(DOCTOR_TEXTS) <= named
