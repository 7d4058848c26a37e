"""Signing keys over a real store; each `make()` is a process of its own."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sso_server.crypto.signing_keys import SigningKeys
from sso_server.stores.sql import SqlStores, migrate
from tests.support.clocks import SetClock

SECRET = "s" * 40


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "empty.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def stores(empty: Path, tmp_path: Path) -> Iterator[SqlStores]:
    shutil.copy(empty, tmp_path / "lockstep.db")
    opened = SqlStores.open(f"sqlite:///{tmp_path / 'lockstep.db'}")
    yield opened
    opened.close()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def make(stores: SqlStores, clock: SetClock) -> Callable[..., SigningKeys]:
    """Each call is a process of its own."""
    return lambda *secrets: SigningKeys(stores.keys, secrets or (SECRET,), clock)
