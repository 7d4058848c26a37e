"""docs/sdk-cas.md does what it says: its commands and its site, at our centre and at another CAS server."""

import importlib.util
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from sso_server.cli import main
from tests.support.doc_pages import commands, write_files
from tests.support.fake_cas import FakeCas

PAGE = "sdk-cas.md"
OUR_CENTRE, ANOTHER = commands(PAGE)[1:3]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_files(PAGE, tmp_path)
    for name in [name for name in os.environ if name.startswith("SSO_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """The page's site under some settings."""
    made: list[ModuleType] = []

    def import_it(settings: dict[str, str]) -> ModuleType:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        spec = importlib.util.spec_from_file_location("wiki_of_the_page", folder / "wiki.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        made.append(module)
        return module

    yield import_it
    for module in made:
        module.app.extensions["sso_client"].client.close()


def exports(text: str) -> dict[str, str]:
    return dict(re.findall(r"^export (SSO_\w+)=(\S+)$", text, re.MULTILINE))


def test_at_our_centre_the_command_prints_what_the_site_needs(folder: Path, run, real_centre) -> None:
    centre = {"SSO_DATA_DIR": str(folder / "centre"), "SSO_ISSUER": real_centre.issuer}
    done = CliRunner().invoke(main, shlex.split(OUR_CENTRE)[1:], env=centre)
    assert done.exit_code == 0, done.output
    settings = exports(done.output)
    assert set(settings) == {"SSO_ISSUER", "SSO_CLIENT_ID", "SSO_CLIENT_SECRET", "SSO_PROTOCOL"}
    browser = run(settings).app.test_client()
    sent = browser.get(browser.get("/pages").location).location
    assert sent.startswith(f"{real_centre.issuer}/cas/login?service=")


def test_at_another_server_an_address_is_enough(run, cas: FakeCas) -> None:
    settings = exports(ANOTHER)
    assert set(settings) == {"SSO_CAS_URL", "SSO_BASE_URL", "SSO_SESSION_MAX_AGE"}
    browser = run(settings | {"SSO_CAS_URL": cas.url}).app.test_client()
    there = settings["SSO_BASE_URL"]
    sent = browser.get(browser.get("/pages", base_url=there).location, base_url=there).location
    (service,) = parse_qs(urlsplit(sent).query)["service"]
    assert service.startswith(f"{there}/sso/callback?")
    back = urlsplit(cas.sign_in(sent))
    browser.get(f"{back.path}?{back.query}", base_url=there)
    assert browser.get("/pages", base_url=there).text == "Pages of Alice Example"


def test_the_pages_own_test_passes(folder: Path, signed_in, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "wiki", raising=False)
    spec = importlib.util.spec_from_file_location("test_of_the_page", folder / "test_wiki.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.test_who_is_signed_in_sees_the_pages(signed_in)
    sys.modules.pop("wiki").app.extensions["sso_client"].client.close()
