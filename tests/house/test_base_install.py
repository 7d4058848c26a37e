"""What a site gets by installing the SDK alone: ten packages at most; everything but the adapters works with them."""

import json
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.sources import ROOT, python_files

#: What needs more than the base install: the framework that the site has anyway, an extra of ours, or pytest.
ADAPTERS = ("flask", "flask_edge", "flask_login", "starlette", "starlette_edge", "django")
NEED_MORE = (*ADAPTERS, "async_http", "async_waiting", "stores.redis", "testing.plugin")
PROGRAM = """
import importlib, json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

modules, absent = json.loads(sys.argv[1])
sys.meta_path.insert(0, Absent())
for module in modules:
    importlib.import_module(module)

import os, pathlib, tempfile
from sso_client.testing import FakeSSO, WsgiClient
from sso_client.wsgi import SSOMiddleware

with tempfile.TemporaryDirectory() as place:
    centre = FakeSSO(pathlib.Path(place, "sso.sqlite3"))
    os.environ.update(centre.environ)

    def hello(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["REMOTE_USER"].encode()]

    browser = WsgiClient(SSOMiddleware(hello, protect=["/"], bearer={"/api": "openid"}))
    centre.sign_in(browser)
    assert browser.get("/").text == "alice"
    assert browser.get("/api", {"Authorization": f"Bearer {centre.access_token()}"}).status == 200
    centre.sign_out()
    assert browser.get("/").status == 302
    from sso_client.doctor.command import main
    assert main(["doctor"]) in (0, 1)
    centre.close()
"""


def base_install(python: str = "3.11") -> dict[str, frozenset[str]]:
    """Every package of the base install with the extras that are asked of it, as the installed metadata have them."""
    environment = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    found: dict[str, frozenset[str]] = {}
    queue = [Requirement(line) for line in asked]
    while queue:
        wanted = queue.pop()
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if extras <= found.get(name, frozenset()) and name in found:
            continue
        found[name] = found.get(name, frozenset()) | extras
        for line in metadata.requires(name) or []:
            needed = Requirement(line)
            environments = [environment | {"extra": extra} for extra in ("", *found[name])]
            if needed.marker is None or any(needed.marker.evaluate(each) for each in environments):
                queue.append(needed)
    return found


def module_name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_the_base_install_is_ten_packages_at_most(python: str) -> None:
    found = base_install(python)
    assert {"requests", "pyjwt", "cryptography", "urllib3"} <= set(found)
    assert len(found) <= 10, sorted(found)


@pytest.mark.parametrize(
    ("page", "words"), [("sdk.md", "ten packages beside `lockstep-sso`"), ("sdk.zh.md", "共十个包")]
)
def test_the_page_counts_them_as_pip_shows_them(page: str, words: str) -> None:
    assert words in " ".join((ROOT / "docs" / page).read_text(encoding="utf-8").split())
    assert len(base_install()) == 10


def test_without_any_framework_or_extra_everything_but_the_adapters_can_be_imported_and_works() -> None:
    homes = metadata.packages_distributions()
    theirs = {top for top, owners in homes.items() if {canonicalize_name(o) for o in owners} & set(base_install())}
    absent = sorted(set(homes) - theirs - {"sso_client"} | {"sso_server", "demo_apps"})
    assert {"flask", "werkzeug", "django", "starlette", "redis", "httpx2", "anyio", "sqlalchemy"} <= set(absent)
    files = [path.relative_to(ROOT).as_posix() for path in python_files("sso_client")]
    modules = [module_name(file) for file in files if file != "sso_client/__main__.py"]
    base = [name for name in modules if not name.removeprefix("sso_client.").startswith(NEED_MORE)]
    assert {"sso_client", "sso_client.wsgi", "sso_client.site", "sso_client.stores.sqlite"} <= set(base)
    command = [sys.executable, "-c", PROGRAM, json.dumps([base, absent])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
