"""Every code of the logout doctor has its cure and its line in docs/cli.md, and no line is left over."""

import ast
import re

from sso_server.core.logout_cures import _CAS_CURES, _CURES, cure_of
from tests.house.sources import ROOT

PAGE = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
SECTION = PAGE.split("### `sso client test`", 1)[1].split("\n### ", 1)[0]
#: Words of these files that look like codes are codes.
SOURCES = ("sso_server/delivery/diagnosis.py", "sso_server/delivery/connection.py", "sso_server/delivery/addresses.py")


def test_every_code_has_its_line_and_every_line_its_code() -> None:
    rows = [line.split("|") for line in SECTION.splitlines() if line.startswith("| ")]
    written = {code for row in rows for code in re.findall(r"`([a-z0-9_]+)`", row[2])}
    assert written == {*_CURES, *_CAS_CURES}


def test_every_code_that_the_doctor_can_find_has_its_cure() -> None:
    found = set()
    for name in SOURCES:
        for node in ast.walk(ast.parse((ROOT / name).read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    strangers = {word for word in found if re.fullmatch(r"[a-z]+(_[a-z]+)+", word)} - set(_CURES)
    assert strangers <= {"alg_none", "store_id"}


def test_a_code_without_a_cure_of_its_own_gets_one_that_fits() -> None:
    assert "final address" in cure_of("http_307", "shop", "https://sso.example.com")
    assert "own log" in cure_of("http_418", "shop", "https://sso.example.com")
    assert cure_of("", "shop", "https://sso.example.com") == ""
