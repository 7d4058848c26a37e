"""One check-in: tell the centre what happened here, hear what ended there, and have the lease confirmed.

The ends and the lease are applied in one local transaction; acknowledgements go out after it has committed.
"""

import json
import logging
from time import monotonic
from typing import Any

from sso_client.clock import Clock, now
from sso_client.discovery import Discovery
from sso_client.errors import SSOError
from sso_client.events import Events, log, since
from sso_client.hooks import Hooks
from sso_client.http import NOT_NOW, HttpClient, basic
from sso_client.records import CheckInAnswer, CheckInReport, Denied, End, Outgoing
from sso_client.settings import Settings
from sso_client.signed_token import is_writable
from sso_client.stores import MAX_LIST, LocalStore
from sso_client.waiting import Waiting

_ROUNDS = 6
_MAX_EPOCH = 64


def read_check_in(document: dict[str, Any]) -> CheckInAnswer:
    """The centre's answer, checked. Raises SSOError `check_in_malformed`: a half-read one must confirm nobody."""
    if not is_writable(document):
        raise SSOError("check_in_malformed", "text that is no Unicode, or a number that is too large")
    match document:
        case {
            "ends": list(listed),
            "more": bool(more),
            "mark": str(mark),
            "lag_ms": int(lag_ms),
            "lease_s": int(lease_s),
            "grace_s": int(grace_s),
        } if lag_ms >= 0 and 0 < lease_s <= 86_400 and 0 <= grace_s <= 86_400:
            ends = []
            for item in listed:
                match item:
                    case {"sid": str(sid), "reason": str(reason), "ended_at": int(ended_at)} if ended_at >= 0:
                        ends.append(End(sid, reason, ended_at))
                    case _:
                        raise SSOError("check_in_malformed", "ends")
            report_s = document.get("report_s", max(lease_s, 60))  # an older centre waits at least that long
            if type(report_s) is not int or not 0 < report_s <= 86_400:
                raise SSOError("check_in_malformed", "report_s")
            epoch = document.get("epoch", "")  # an older centre has none, and none is as good as any other
            if not isinstance(epoch, str) or len(epoch) > _MAX_EPOCH:
                raise SSOError("check_in_malformed", "epoch")
            denied, denied_to = _read_denied(document)
            return CheckInAnswer(
                tuple(ends),
                more,
                mark,
                lag_ms,
                lease_s * 1000,
                grace_s * 1000,
                report_s * 1000,
                epoch,
                denied,
                denied_to,
            )
    raise SSOError("check_in_malformed", f"members {sorted(document)!r:.200}")


def _read_denied(document: dict[str, Any]) -> tuple[tuple[Denied, ...], int | None]:
    """What is refused from now on, and where the next list begins; an older centre has neither. Raises SSOError."""
    listed, denied_to = document.get("denied", []), document.get("denied_to")
    if not isinstance(listed, list) or not (denied_to is None or (type(denied_to) is int and denied_to >= 0)):
        raise SSOError("check_in_malformed", "denied")
    denied = []
    for item in listed:
        match item:
            case {"sid": str(sid), "until": int(until)}:
                denied.append(Denied(sid, None, until))
            case {"jti": str(jti), "until": int(until)}:
                denied.append(Denied(None, jti, until))
            case _:
                raise SSOError("check_in_malformed", "denied")
    return tuple(denied), denied_to


class CheckIn:
    """The check-ins of one store."""

    def __init__(
        self,
        settings: Settings,
        http: HttpClient,
        discovery: Discovery,
        store: LocalStore,
        events: Events,
        hooks: Hooks,
        clock: Clock,
        waiting: Waiting,
    ) -> None:
        self._settings = settings
        self._http = http
        self._discovery = discovery
        self._store_id = store.store_id
        self._journal = store.journal
        self._sessions = store.sessions
        self._events = events
        self._hooks = hooks
        self._clock = clock
        self._waiting = waiting
        self._begun = False

    async def run(self, *, all_sids: bool = False, total_s: float = 5.0, ends_only: bool = False) -> CheckInReport:
        """Ask until nothing is left (a few rounds at most). Raises SSOError; then the failure is in the store.

        `all_sids` lists every session, as after a gap. `total_s` bounds discovery and all rounds together: a list that
        is longer than that goes on where it stopped at the next call. `ends_only` stops as soon as the sign-outs that
        began here are told: a person waits for it.
        """
        ended, confirmed, listing, rounds = 0, False, False, 0
        deadline = monotonic() + total_s
        while rounds < _ROUNDS:
            sent = now(self._clock)
            # A process that has just started can't know whether the file was replaced by an older copy meanwhile: the
            # sessions that came back with it were acknowledged long ago, and only a list from its beginning finds them.
            told = await self._waiting.step(self._journal.gather, sent.wall_ms, all_sids, anew=not self._begun)
            self._begun = True  # the file says from now on that the list is due
            try:
                answer = await self._post(told, deadline)
            except SSOError as error:
                if confirmed or (listing and error.transient):
                    # What was answered stays in the store: the next call goes on with acknowledgements or list.
                    log.info("the rest is kept for the next check-in: %s", error)
                    break
                await self._failed(error)
                raise
            applied = await self._waiting.step(self._journal.apply, answer, told, sent)
            for end, sessions in applied.ends:
                ended += len(sessions)
                if sessions:
                    await self._tell_end(end)
                    await self._hooks.signed_out(sessions, end.reason)
            for sid in told.ended:
                await self._events.tell("sign_out_confirmed", "the centre confirmed the sign-out that began here", sid)
            confirmed = confirmed or applied.confirmed
            all_sids, listing = False, bool(told.sids_end)
            rounds += 0 if told.sids_end else 1  # the parts of a long list are bounded by the deadline alone
            whole = not told.sids_end and len(told.active) < MAX_LIST
            if (whole and not answer.ends and applied.confirmed) or (ends_only and len(told.ended) < MAX_LIST):
                break
        await self.drop_lapsed()
        return CheckInReport(ended, confirmed)

    async def tell_active(self, sid: str, total_s: float) -> None:
        """Report one session as used, past the store, which can't be written: this confirms nobody. Raises SSOError."""
        await self._post(Outgoing(0, None, (), (), (sid,), None, "", ""), monotonic() + total_s)

    async def drop_lapsed(self) -> None:
        """Forget local sessions whose time is over, and let the site hear of it. Nobody was kept by them meanwhile."""
        try:
            lapsed = await self._waiting.step(self._sessions.drop_lapsed, self._clock.wall_ms())
        except SSOError as error:
            log.warning("lapsed sessions stay for a while: %s", error)
            return
        await self._hooks.signed_out(lapsed, "expired")

    async def _post(self, told: Outgoing, deadline: float) -> CheckInAnswer:
        # Half of the time at most, so that a document that can't be had again doesn't cost the check-in itself.
        url = (await self._discovery.get_provider(_left(deadline) / 2)).check_in_endpoint
        if url is None:
            raise SSOError("check_in_refused", "the discovery document names no check_in_endpoint")
        body: dict[str, Any] = {
            "store": self._store_id,
            "mark": told.mark,
            "acks": told.acks,
            "ended": told.ended,
            "active": told.active,
            "denied_from": told.denied_from,
        }
        if told.sids is not None:
            body["sids"] = told.sids
        headers = {
            "Authorization": basic(self._settings.client_id, self._settings.client_secret),
            "Content-Type": "application/json",
        }
        answer = await self._http.post(url, headers, json.dumps(body).encode(), _left(deadline))
        if answer.status >= 500 or answer.status in NOT_NOW:
            raise SSOError("provider_unavailable", f"{url}: status {answer.status}")
        if answer.status != 200:
            raise SSOError("check_in_refused", f"{url}: status {answer.status}, {answer.body[:200]!r}")
        return read_check_in(answer.json())

    async def _failed(self, error: SSOError) -> None:
        kind = "unreachable" if error.transient else "refused"
        await self._waiting.step(self._journal.note_failure, kind, now(self._clock))
        if error.transient:
            log.warning("check-in failed: %s", error)
        else:
            # A wrong secret or a removed client: nobody is confirmed any more, and waiting won't mend it.
            await self._events.tell(error.code, f"check-in refused: {error.cause}", level=logging.ERROR)
            log.error("check-in refused, local sessions stop within the lease: %s", error)

    async def _tell_end(self, end: End) -> None:
        words, gap = since(end.ended_at_ms, self._clock.wall_ms())
        text = f"check-in heard of the sign-out ({end.reason}), local session ended{words}"
        await self._events.tell("ended_at_check_in", text, end.sid, gap)


def _left(deadline: float) -> float:
    """Seconds until the deadline. Raises SSOError when it has passed: what isn't whole by then confirms nobody."""
    left = deadline - monotonic()
    if left <= 0:
        raise SSOError("provider_unreachable", "the check-in took too long")
    return left
