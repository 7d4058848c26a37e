"""The centre's ports as a process of the suite gets them: with named points, a diary of ends, and faulty parts on
demand. The product itself knows nothing of it: `wiring.open_session_stores` is replaced before anything is built.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from sso_server import wiring
from sso_server.core.notifications import State
from tests.faults import broken
from tests.faults.points import Points, Watched


class Ports:
    """The session-side stores, watched. Attributes are the stores' own."""

    def __init__(self, inner: Any, watched: dict[str, Watched]) -> None:
        self._inner = inner
        self._watched = watched

    def __getattr__(self, name: str) -> Any:
        return self._watched.get(name) or getattr(self._inner, name)

    def close(self) -> None:
        # Where sessions live in the database, `Built.close` closes that by itself; twice does no harm.
        self._inner.close()


class Diary:
    """When ends were known to be committed: one line each, from every process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, *ends: Any) -> None:
        lines = [{"sid": e.session.sid, "at": time.time_ns() // 1_000_000} for e in ends if e is not None and e.first]
        if lines:
            self._append("".join(json.dumps(line) + "\n" for line in lines))

    def _append(self, text: str) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)

    def read(self) -> dict[str, int]:
        """sid -> the first moment at which its end was known to be committed (ms)."""
        found: dict[str, int] = {}
        if self._path.exists():
            for line in self._path.read_text().splitlines():
                entry = json.loads(line)
                found[entry["sid"]] = min(entry["at"], found.get(entry["sid"], entry["at"]))
        return found


def watch(stores: Any, run: Path, who: str, part: str = "") -> Any:
    """`who` is `web`, `delivery` or `suite`; `part` names a faulty part to wire instead of the right one."""
    points, diary = Points(run / "points"), Diary(run / "ends.log")

    def point(name: str) -> Any:
        return lambda *args, **kwargs: points.passed(f"{who}.{name}")

    def if_any(name: str) -> Any:
        return lambda result, *args, **kwargs: points.passed(f"{who}.{name}") if result else None

    def after_end(result: Any, *args: Any, **kwargs: Any) -> None:
        points.passed(f"{who}.end.after")
        diary.note(result)

    def after_sweep(result: Any, *args: Any, **kwargs: Any) -> None:
        if result:
            points.passed(f"{who}.sweep.after")
            diary.note(*result)

    def before_record(results: Any, *args: Any, **kwargs: Any) -> None:
        points.passed(f"{who}.record.before")
        if any(r.state is State.PENDING for r in results):
            points.passed(f"{who}.reschedule.before")

    watched = {
        "sessions": Watched(
            stores.sessions,
            before={"end": point("end.before")},
            after={"end": after_end, "open": point("open.after")},
            instead=broken.sessions(part, stores),
        ),
        "sweeps": Watched(
            stores.sweeps,
            before={"end_due": point("sweep.before")},
            after={"end_due": after_sweep},
            instead=broken.sweeps(part, stores),
        ),
        "tickets": Watched(
            stores.tickets, before={"redeem": point("redeem.before")}, after={"redeem": point("redeem.after")}
        ),
        "check_ins": Watched(
            stores.check_ins, before={"check_in": point("check_in.before")}, after={"check_in": point("check_in.after")}
        ),
        "outbox": Watched(
            stores.outbox,
            before={"record": before_record},
            after={"claim": if_any("claim.after"), "record": point("record.after")},
            instead=broken.outbox(part),
        ),
        "archive": Watched(
            stores.archive,
            before={"mark_archived": point("archive.before")},
            after={"mark_archived": point("archive.after")},
        ),
    }
    return Ports(stores, watched)


def replace_stores(run: Path, who: str, part: str = "") -> None:
    """From here on, `wiring.build` in this process builds on watched ports."""
    real = wiring.open_session_stores

    def open_watched(*args: Any, **kwargs: Any) -> Any:
        return watch(real(*args, **kwargs), run, who, part)

    wiring.open_session_stores = open_watched  # type: ignore[assignment]
