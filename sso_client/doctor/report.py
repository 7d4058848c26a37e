"""The doctor's findings as text or as JSON, in the reader's language, without a secret."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Literal
from urllib.parse import quote_plus

from sso_client.doctor.findings import Finding, verdict
from sso_client.doctor.words import CHECKS, LEVELS, PHRASES, SEEN, VERDICTS

Language = Literal["en", "zh"]

#: User and password in an address, such as SSO_STORE's, however it is quoted or mistyped.
_USER_INFO = re.compile(r"(?<=/)[^\s'\"]*@")
_PASSWORD = re.compile(r"(?<=password=)[^\s'\"&]+")
_HIDDEN = "***"


def as_text(findings: Sequence[Finding], language: Language, secrets: Iterable[str] = ()) -> str:
    """A line for each finding, and below it what is to be done."""
    phrases, hide = PHRASES[language], tuple(secrets)
    lines = []
    for finding in findings:
        if language == "en":
            begin = f"{finding.level.value:<8} {finding.check}: "
        else:  # each of its characters is as wide as two
            begin = f"{LEVELS[finding.level.value]:<6} {CHECKS[finding.check]}："
        lines.append(begin + seen_of(finding, language, hide))
        if finding.text is not None:
            cause, cure = _cause_and_cure(finding, language)
            lines.append(f"{'':8} {finding.code}")
            lines.append(f"{'':8} {phrases['cause']}{cause}")
            lines.append(f"{'':8} {phrases['cure']}{cure}")
        if finding.advice:
            lines.append(f"{'':8} {phrases['advice']}{hidden(finding.advice, hide)}")
    lines.append(VERDICTS[language][verdict(findings).value])
    return "\n".join(lines) + "\n"


def as_json(findings: Sequence[Finding], language: Language, secrets: Iterable[str] = ()) -> str:
    """The same for programs; `check`, `level` and `code` are stable."""
    hide = tuple(secrets)
    listed = []
    for finding in findings:
        cause, cure = _cause_and_cure(finding, language)
        listed.append(
            {
                "check": finding.check,
                "level": finding.level.value,
                "code": finding.code,
                "seen": seen_of(finding, language, hide),
                "cause": cause,
                "cure": cure,
                "advice": hidden(finding.advice, hide),
            }
        )
    whole = {"verdict": verdict(findings).value, "findings": listed}
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def seen_of(finding: Finding, language: Language, secrets: Iterable[str] = ()) -> str:
    """What was seen, as a sentence on one line."""
    sentence = SEEN[finding.seen][0 if language == "en" else 1].format(**dict(finding.facts))
    # A site chose some of it: nothing of that may speak to the terminal.
    printable = "".join(c if c.isprintable() else " " for c in sentence)
    return hidden(" ".join(printable.split()), secrets)


def hidden(text: str, secrets: Iterable[str]) -> str:
    """The text without secrets: what a library or a server quotes may hold one."""
    for secret in secrets:
        for form in (secret, quote_plus(secret)):
            # A shorter one protects nothing, and would riddle every sentence.
            if len(form) >= 4:
                text = text.replace(form, _HIDDEN)
    return _PASSWORD.sub(_HIDDEN, _USER_INFO.sub(f"{_HIDDEN}@", text))


def _cause_and_cure(finding: Finding, language: Language) -> tuple[str, str]:
    text = finding.text
    if text is None:
        return "", ""
    return (text.cause, text.fix) if language == "en" else (text.cause_zh, text.fix_zh)
