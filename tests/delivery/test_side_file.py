"""An SQLite file that is put back is found out by the heartbeat beside it, before any lease is renewed."""

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from sso_server.core.errors import Unavailable
from sso_server.core.events import EventKind
from sso_server.core.policy import HOUR, MINUTE
from sso_server.stores.sql.side_file import SideFile
from tests.support.deliveries import Deliveries
from tests.support.engines import Place
from tests.support.snapshots import Snapshot
from tests.support.went_back import Site, end, is_live, put_right, signed_in

pytestmark = pytest.mark.parametrize("place", ["sqlite"], indirect=True)


@pytest.fixture
def file(place: Place) -> SideFile:
    return SideFile(place.url.removeprefix("sqlite:///"))


def beats(deliveries: Deliveries, count: int = 1) -> None:
    for _ in range(count):
        deliveries.clock.pass_ms(5000)
        assert deliveries.restoring().run_once(beat=True) is None


@pytest.mark.parametrize("found_by", ["a site that was cut off", "the delivery process"])
def test_a_file_put_back_brings_nobody_back(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot], found_by: str
) -> None:
    ended = signed_in(deliveries)
    beats(deliveries)
    site.check_in()
    taken = snapshot()
    end(deliveries, ended)
    beats(deliveries)
    taken.restore()
    assert is_live(deliveries, ended)
    if found_by == "a site that was cut off":
        for _ in range(2):
            with pytest.raises(Unavailable):
                site.check_in()
    put_right(deliveries)
    assert not is_live(deliveries, ended)
    (line,) = deliveries.sql.audit.list_events(10, kind=EventKind.STORE_RESTORED)
    assert (line.data["cause"], line.data["end_all"]) == ("side_file", 1)
    new = signed_in(deliveries)
    beats(deliveries, 3)
    site.check_in()
    assert is_live(deliveries, new)
    taken.restore()
    put_right(deliveries)


def test_a_clock_that_was_ahead_neither_alarms_nor_hides(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
) -> None:
    session = signed_in(deliveries)
    beats(deliveries)
    deliveries.clock.pass_ms(HOUR)
    beats(deliveries)
    deliveries.clock.pass_ms(-HOUR)
    beats(deliveries, 3)
    site.check_in()
    assert is_live(deliveries, session)
    taken = snapshot()
    beats(deliveries)
    taken.restore()
    put_right(deliveries)
    beats(deliveries, 3)


@pytest.mark.parametrize("content", [None, "", "lockstep 1 res-other 99999999999999\n", "lockstep 1 x", "\xff"])
def test_a_file_that_is_missing_or_not_ours_proves_nothing(
    deliveries: Deliveries, site: Site, file: SideFile, content: str | None
) -> None:
    session = signed_in(deliveries)
    beats(deliveries)
    file.path.unlink()
    if content is not None:
        file.path.write_text(content, encoding="latin-1")
    site.check_in()
    beats(deliveries)
    assert is_live(deliveries, session)
    assert file.read() is not None, "written anew"


def test_a_database_that_comes_back_newer_from_elsewhere_alarms_nobody(
    deliveries: Deliveries, site: Site, file: SideFile
) -> None:
    signed_in(deliveries)
    beats(deliveries)
    older = file.path.read_bytes()
    deliveries.clock.pass_ms(MINUTE)
    beats(deliveries)
    file.path.write_bytes(older)
    site.check_in()
    beats(deliveries)


def test_a_file_that_cannot_be_written_stops_nothing(deliveries: Deliveries, site: Site, file: SideFile) -> None:
    signed_in(deliveries)
    beats(deliveries)
    file.path.unlink()
    file.path.mkdir()
    beats(deliveries, 2)
    site.check_in()


def test_a_process_that_works_on_a_file_that_is_gone_accuses_nobody(
    deliveries: Deliveries, place: Place, file: SideFile
) -> None:
    signed_in(deliveries)
    beats(deliveries)
    before = file.read()
    path = Path(place.url.removeprefix("sqlite:///"))
    shutil.copy(path, f"{path}.new")
    Path(f"{path}.new").replace(path)
    beats(deliveries, 2)
    assert file.read() == before


def test_two_delivery_processes_alarm_nobody_and_the_file_is_private(
    deliveries: Deliveries, file: SideFile, tmp_path: Path
) -> None:
    first, second = deliveries.restoring(), deliveries.restoring()
    for _ in range(5):
        deliveries.clock.pass_ms(1000)
        assert first.run_once(beat=True) is None
        assert second.run_once(beat=True) is None
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("*heartbeat*")] == [file.path.name]
