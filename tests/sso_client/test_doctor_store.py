"""The doctor at the place where local sessions are kept: files and Redis."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from sso_client import Settings, open_sqlite_store
from sso_client.doctor.findings import Finding, Level
from sso_client.doctor.report import as_text
from sso_client.doctor.store import look_at_store
from sso_client.stores.opening import open_store
from tests.support.ports import free_port
from tests.support.services import running_redis


def look(settings: Settings, store: str | None) -> tuple[dict[str, Finding], str | None]:
    found, store_id = look_at_store(replace(settings, store=store))
    assert as_text(found, "en") != as_text(found, "zh")
    return {finding.check: finding for finding in found}, store_id


def test_a_file_that_is_there_is_opened_and_named(settings: Settings, tmp_path: Path) -> None:
    made = open_sqlite_store(tmp_path / "s.sqlite3", issuer=settings.issuer, client_id=settings.client_id)
    found, store_id = look(settings, f"sqlite:///{tmp_path}/s.sqlite3")
    assert (found["store"].level, found["store"].seen, store_id) == (Level.OK, "store_file", made.store_id)
    made.close()


def test_a_file_that_is_not_there_is_not_made(settings: Settings, tmp_path: Path) -> None:
    found, store_id = look(settings, f"sqlite:///{tmp_path}/deep/s.sqlite3")
    assert (found["store"].level, found["store"].seen, store_id) == (Level.OK, "store_absent", None)
    assert list(tmp_path.iterdir()) == []


def test_without_a_setting_nothing_is_guessed(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found, store_id = look(settings, None)
    assert (found["store"].level, found["store"].seen, store_id) == (Level.UNKNOWN, "store_default", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["instance", "sso-data"])
def test_without_a_setting_the_file_of_the_working_folder_is_opened(
    folder: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = open_store(settings, Path(folder))
    made.close()
    found, store_id = look(settings, None)
    assert (found["store"].level, dict(found["store"].facts)["store"]) == (Level.OK, made.store_id)
    assert store_id is None, "the running site may have another one"
    next(Path(folder).glob("*.sqlite3")).write_text("no database " * 100)
    assert look(settings, None)[0]["store"].code == "store_failed"


def test_a_file_in_a_place_that_is_no_folder(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found, _ = look(settings, f"sqlite:///{tmp_path}/file/s.sqlite3")
    assert (found["store"].level, found["store"].code) == (Level.PROBLEM, "store_not_writable")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_file_that_may_not_be_written(settings: Settings, tmp_path: Path) -> None:
    open_sqlite_store(tmp_path / "s.sqlite3", issuer=settings.issuer, client_id=settings.client_id).close()
    (tmp_path / "s.sqlite3").chmod(0o400)
    assert look(settings, f"sqlite:///{tmp_path}/s.sqlite3")[0]["store"].code == "store_not_writable"


def test_a_file_of_another_client_or_program(settings: Settings, tmp_path: Path) -> None:
    open_sqlite_store(tmp_path / "s.sqlite3", issuer=settings.issuer, client_id="other").close()
    (tmp_path / "text").write_text("this is no database, but long enough to be read as one " * 20)
    assert look(settings, f"sqlite:///{tmp_path}/s.sqlite3")[0]["store"].code == "store_other_client"
    assert look(settings, f"sqlite:///{tmp_path}/text")[0]["store"].code == "store_failed"
    assert look(settings, f"sqlite:///{tmp_path}")[0]["store"].code == "store_not_writable"


@pytest.mark.redis
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--appendonly", "yes"), {}),
        (("--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"), {"redis memory": "store_evicts"}),
        (("--maxmemory-policy", "volatile-ttl"), {"redis memory": "store_evicts", "redis disk": "store_volatile"}),
    ],
)
def test_what_a_redis_would_forget(
    settings: Settings, tmp_path: Path, options: tuple[str, ...], expected: dict[str, str]
) -> None:
    with running_redis(tmp_path, *options) as url:
        found, store_id = look(settings, url)
        assert look(settings, url)[1] == store_id is not None
    assert {name: finding.code for name, finding in found.items() if finding.code} == expected
    assert found["store"].seen == "store_redis"


def test_a_redis_that_is_away_keeps_its_password_to_itself(settings: Settings) -> None:
    found, store_id = look(settings, f"redis://shop:very-secret@127.0.0.1:{free_port()}/0")
    assert (found["store"].level, found["store"].code, store_id) == (Level.PROBLEM, "store_failed", None)
    assert "very-secret" not in str(found["store"].facts)
