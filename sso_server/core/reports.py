"""What became of a sign-out, site by site, in the words of the promise: for the page, the CLI and the demo's map."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from sso_server.core.check_in import SiteStore
from sso_server.core.clients import ClientDirectory
from sso_server.core.notifications import Notification, State
from sso_server.core.policy import SECOND
from sso_server.core.ports import CheckInStore, Clock, Ledger, RestorationStore
from sso_server.core.records import record

_IN_DOUBT_MS = 5 * SECOND


class Standing(StrEnum):
    """How a site stands after a sign-out."""

    SIGNED_OUT = "signed_out"
    """The site said that its local session is over."""
    TRYING = "trying"
    """Being told; it has our SDK, so it is safe by `safe_at` even if it never hears."""
    SAFE = "safe"
    """Not told, but its lease has run out: it admits nobody."""
    TRYING_NO_BOUND = "trying_no_bound"
    """Being told; without our SDK nobody can say by when."""
    NOT_TOLD = "not_told"
    """It has no logout address, or telling it was given up."""
    OVER = "over"
    """Its local session has run out by itself."""


#: A site with several stores or tickets stands as its worst one, a sign-out as its worst site.
FROM_GOOD_TO_BAD = (
    Standing.OVER,
    Standing.SIGNED_OUT,
    Standing.SAFE,
    Standing.TRYING,
    Standing.TRYING_NO_BOUND,
    Standing.NOT_TOLD,
)


@record
class SiteLine:
    """One line of the report. Times in ms."""

    client_id: str
    name: str
    base_url: str
    store_id: str
    """Empty: a site without our SDK."""
    standing: Standing
    safe_at: int | None
    notification: Notification
    tickets: int = 0
    """Of a CAS site without our SDK: for how many of its tickets this line stands (`one_for_each_site`)."""
    has_frame: bool = False
    """It registered a page for front-channel logout, which proves nothing."""


class SignOutReports:
    """Reads the ledger for people."""

    def __init__(
        self,
        ledger: Ledger,
        check_ins: CheckInStore,
        clients: ClientDirectory,
        clock: Clock,
        restorations: RestorationStore,
    ) -> None:
        self._ledger = ledger
        self._check_ins = check_ins
        self._clients = clients
        self._clock = clock
        self._restorations = restorations

    def lines(self, sid: str) -> list[SiteLine]:
        """One per participant of the ended session, in the order of registration."""
        return self.lines_of([sid])[sid]

    def lines_of(self, sids: Iterable[str]) -> dict[str, list[SiteLine]]:
        """The same for several sessions, in their order. Raises Unavailable."""
        rows = {sid: self._ledger.of_session(sid) for sid in sids}
        waiting = [row for those in rows.values() for row in those if row.state is not State.ACKNOWLEDGED]
        safe_at = dict(zip(waiting, self.safe_by(waiting), strict=True))
        return {sid: [self._line(row, safe_at.get(row)) for row in those] for sid, those in rows.items()}

    def safe_by(self, rows: Sequence[Notification]) -> list[int | None]:
        """For each row of a store of ours, from when on (ms) it admits nobody in that session even if it never hears,
        as far as is known now: later looks may find a later moment, never an earlier one that was true. None: not a
        store of ours. Raises Unavailable."""
        # A site may have very many stores (a new one with each container): only those that are named here are read.
        bounded: dict[str, set[str]] = {}
        for row in rows:
            if row.sdk_store:
                bounded.setdefault(row.client_id, set()).add(row.sdk_store)
        found = [s for client_id, ids in bounded.items() for s in self._check_ins.find_site_stores(client_id, ids)]
        stores = {(store.client_id, store.store_id): store for store in found}
        state = self._restorations.state() if bounded else None
        restored_at = state.detected_at if state is not None else 0
        return [
            self._safe_at(row, stores.get((row.client_id, row.sdk_store)), restored_at) if row.sdk_store else None
            for row in rows
        ]

    def _safe_at(self, row: Notification, store: SiteStore | None, restored_at: int) -> int:
        safe_at = _safe_at(row, store)
        if restored_at:
            # What went back in time may have forgotten this store's last lease, or the store itself. None was granted
            # after that was found out and before it was put right.
            lessee = store or self._clients.find(row.client_id)
            lease_ms = (lessee.lease_s + lessee.grace_s) * 1000 if lessee is not None else row.local_until
            safe_at = min(row.local_until, max(safe_at, restored_at + lease_ms))
        return safe_at

    def _line(self, row: Notification, safe_at: int | None) -> SiteLine:
        client = self._clients.find(row.client_id)
        return SiteLine(
            client_id=row.client_id,
            name=client.name if client else row.client_id,
            base_url=client.base_url if client else "",
            store_id=row.sdk_store,
            standing=_standing(row, safe_at, self._clock.now()),
            safe_at=safe_at,
            notification=row,
            tickets=1 if row.ticket else 0,
            has_frame=client is not None and client.metadata.frontchannel_logout_uri != "",
        )


def one_for_each_site(lines: Iterable[SiteLine]) -> list[SiteLine]:
    """The same for people, in the same order: a CAS site has a line for each ticket that it validated, and is one site
    to them. The worst of its lines stands for all, and says for how many."""
    shown: dict[tuple[str, str, str, bool], SiteLine] = {}
    for line in lines:
        place = (line.notification.sid, line.client_id, line.store_id, line.tickets > 0)
        other = shown.get(place)
        if other is None:
            shown[place] = line
        else:
            shown[place] = replace(max(other, line, key=_rank), tickets=other.tickets + line.tickets)
    return list(shown.values())


def _rank(line: SiteLine) -> tuple[int, int, int]:
    row = line.notification
    return FROM_GOOD_TO_BAD.index(line.standing), row.sends, row.final_at or 0


def _safe_at(row: Notification, store: SiteStore | None) -> int:
    """When a store's last lease (and grace) runs out. A store that never checked in admits nobody without doing so."""
    if store is None:
        return row.ended_at
    # A check-in after the end carried it, so this is never too early. An end that was written while the check-in was
    # being answered, or by a node whose clock is behind, may not be in it.
    heard_late = row.ended_at + _IN_DOUBT_MS < store.lapsed_to
    over_at = store.lapsed_from if heard_late else store.safe_at
    return min(row.local_until, max(row.ended_at, over_at))


def _standing(row: Notification, safe_at: int | None, now: int) -> Standing:
    if row.state is State.ACKNOWLEDGED:
        return Standing.SIGNED_OUT
    if row.state is State.MOOT or now >= row.local_until:
        return Standing.OVER
    if safe_at is not None:
        return Standing.SAFE if now >= safe_at else Standing.TRYING
    if row.state in (State.PENDING, State.CLAIMED):
        return Standing.TRYING_NO_BOUND
    return Standing.NOT_TOLD
