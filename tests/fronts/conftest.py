"""The whole app on a real SQLite: alice and bob, and the clients shop (ES256), wiki (RS256) and spa (public)."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import structlog
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache

from sso_server import wiring
from sso_server.app import create_app
from sso_server.config import Settings
from sso_server.core.clients import Client, ClientSecret
from sso_server.core.identifiers import digest
from sso_server.stores.sql import SqlHealth, migrate
from sso_server.web import errors
from tests.support.oidc_site import ISSUER, PASSWORD, OidcSite, built_of
from tests.support.saved_work import small_hashes

SECRETS = {"shop": "shop-secret-" + "s" * 32, "wiki": "wiki-secret-" + "w" * 32, "spa": ""}
Later = Callable[[float], AbstractContextManager[object]]


def settings_in(directory: Path, **more: object) -> Settings:
    usual: dict[str, object] = {
        "issuer": ISSUER, "data_dir": directory, "secret_key": "k" * 40, "hash_memory_kib": 8192, "log_format": "json"
    }  # fmt: skip
    return Settings(**(usual | more))


def _client(client_id: str, **more: object) -> Client:
    origin = f"https://{client_id}.example.com"
    secret = SECRETS[client_id]
    client = Client(
        client_id=client_id,
        name=client_id.title(),
        created_at=1,
        secrets=(ClientSecret(digest(secret)),) if secret else (),
        public=not secret,
        base_url=f"{origin}/",
        redirect_uris=(f"{origin}/cb", f"{origin}/cb?a=%2F&b"),
        post_logout_redirect_uris=(f"{origin}/", f"{origin}/bye?from=sso"),
        backchannel_logout_uri=f"{origin}/logout",
    )
    return replace(client, **more)


@pytest.fixture(scope="session", autouse=True)
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Jinja's own cache for all apps: each test has one of its own, which would compile every page that it shows."""
    cache = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
    with patch.dict(Flask.jinja_options, bytecode_cache=cache):
        yield


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with schema, keys, people and clients, copied for each test."""
    directory = tmp_path_factory.mktemp("prepared")
    settings = settings_in(directory)
    migrate.upgrade(settings.sql_url)
    with small_hashes():
        built = wiring.build(settings)
    built.signing_keys.ensure_keys()
    for username in ("alice", "bob"):
        built.services.accounts.add(
            username, PASSWORD, name=username.title(), email=f"{username}@example.com", groups=("staff",), actor="test"
        )
    for client in (_client("shop", id_token_alg="ES256"), _client("wiki"), _client("spa")):
        assert built.sql.clients.add(client)
    built.close()
    return directory


@pytest.fixture
def make_app(prepared: Path, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """`make_app(ticket_life=5)`: an app with these settings; several share one database."""
    apps: list[Flask] = []
    shutil.copy(prepared / "lockstep.sqlite3", tmp_path)

    def make(**settings: object) -> Flask:
        with small_hashes():
            apps.append(create_app(settings_in(tmp_path, **settings)))
        # Nobody waits a second for what was found to be found again.
        built_of(apps[-1]).services.readiness._fresh_s = 0
        return apps[-1]

    yield make
    for app in apps:
        built_of(app).close()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """With the default settings."""
    return make_app()


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    """One person's browser; nobody is signed in."""
    return app.test_client()


@pytest.fixture
def shop(app: Flask) -> OidcSite:
    """Confidential, ES256."""
    return OidcSite(app, "shop", SECRETS["shop"])


@pytest.fixture
def wiki(app: Flask) -> OidcSite:
    """Confidential, RS256."""
    return OidcSite(app, "wiki", SECRETS["wiki"])


@pytest.fixture
def spa(app: Flask) -> OidcSite:
    """Public."""
    return OidcSite(app, "spa")


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Every line that the fronts log from here on, with what is bound to the request."""
    lines: list[dict[str, object]] = []

    def keep(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
        lines.append(dict(event))
        raise structlog.DropEvent

    log = structlog.wrap_logger(structlog.PrintLogger(), processors=[structlog.contextvars.merge_contextvars, keep])
    for name, module in list(sys.modules.items()):
        if (name.startswith("sso_server.fronts.") or module is errors) and hasattr(module, "_log"):
            monkeypatch.setattr(module, "_log", log)
    return lines


@pytest.fixture
def later() -> Later:
    """`with later(61):` the centre's clock is that many seconds ahead and goes on."""

    @contextlib.contextmanager
    def travel(seconds: float) -> Iterator[None]:
        # The machine's clock is the store's clock, too: SQLite reads it past Python's back.
        patched = patch.object(SqlHealth, "store_time", lambda _self: int(time.time() * 1000))
        with time_machine.travel(time.time() + seconds, tick=True), patched:
            yield

    return travel
