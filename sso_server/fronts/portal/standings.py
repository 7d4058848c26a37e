"""A sign-out's report in words: how each site stands, in the sentences of the promise, and why the session ended."""

from __future__ import annotations

from flask_babel import gettext, lazy_gettext, ngettext

from sso_server.core.interventions import can_retry
from sso_server.core.notifications import POLLED, Notification, State
from sso_server.core.records import record
from sso_server.core.reports import FROM_GOOD_TO_BAD, SiteLine, Standing
from sso_server.core.sessions import EndReason
from sso_server.fronts.portal.times import wait_words
from sso_server.web.services import services

_UNFINISHED = (Standing.TRYING, Standing.TRYING_NO_BOUND)

#: Nobody needs to be told why when it was their own sign-out.
REASONS = {
    EndReason.IDLE: lazy_gettext("You were signed out because nothing happened for a long time."),
    EndReason.ABSOLUTE: lazy_gettext("You were signed out because your session had lasted as long as a session may."),
    EndReason.ADMINISTRATOR: lazy_gettext("An administrator ended this session."),
    EndReason.PASSWORD_CHANGE: lazy_gettext("This session ended because the password was changed."),
    EndReason.ACCOUNT_DISABLED: lazy_gettext("This session ended because the account was disabled."),
    EndReason.TOKEN_REUSE: lazy_gettext("This session was ended for safety: one of its keys had been used twice."),
    EndReason.CLIENT_REMOVED: lazy_gettext("This session ended because one of its sites was removed."),
    EndReason.APP_REMOVED: lazy_gettext("This session ended because you removed an app that was used in it."),
    EndReason.REPLACED: lazy_gettext("This session ended because somebody else signed in with this browser."),
    EndReason.STORE_RESTORED: lazy_gettext("This session was ended for safety after a repair. Please sign in again."),
}


@record
class ShownLine:
    """One site on the page. `detail` may be empty."""

    client_id: str
    name: str
    href: str
    standing: Standing
    words: str
    detail: str


@record
class Report:
    """All sites of one sign-out, and the sentence above them."""

    lines: tuple[ShownLine, ...]
    finished: bool
    counting: bool
    """A line counts seconds down: the page looks again within one."""
    waiting: bool
    """A site that lets nobody in has yet to hear of it and isn't given up: the page looks on, though all is safe."""
    can_retry: bool
    """A site that couldn't be told can be told again now."""
    summary: str


def report(lines: list[SiteLine], now: int, *, still_open: int = 0) -> Report:
    """The report at `now` (ms), of one session's sites or of several sessions' together. `still_open`: how many
    sessions of this sign-out have yet to end."""
    worst: dict[str, SiteLine] = {}
    for line in lines:
        other = worst.get(line.client_id)
        if other is None or _rank(line) > _rank(other):
            worst[line.client_id] = line
    shown = tuple(_shown(line, now) for line in worst.values())
    return Report(
        lines=shown,
        finished=not still_open and not any(line.standing in _UNFINISHED for line in shown),
        counting=any(line.standing is Standing.TRYING for line in shown),
        waiting=any(_has_yet_to_hear(line) and worst[line.client_id].standing is Standing.SAFE for line in lines),
        can_retry=any(_is_worth_a_retry(line.notification, now) for line in lines),
        summary=_summary(shown, still_open),
    )


def _has_yet_to_hear(line: SiteLine) -> bool:
    """And not only if somebody has it told again: the page with that button asks anew."""
    return line.standing is Standing.SAFE and not line.notification.state.is_final


def _rank(line: SiteLine) -> tuple[int, int]:
    return FROM_GOOD_TO_BAD.index(line.standing), line.safe_at or 0


def _summary(lines: tuple[ShownLine, ...], still_open: int) -> str:
    if still_open:
        words = ngettext(
            "One more device is being signed out.", "%(num)d more devices are being signed out.", still_open
        )
        return str(words)
    if not lines:
        return str(gettext("No other site took part in this session."))
    standings = [line.standing for line in lines]
    out = sum(standing in (Standing.SIGNED_OUT, Standing.OVER) for standing in standings)
    safe = standings.count(Standing.SAFE)
    if out == len(lines):
        return str(ngettext("The one site you used is signed out.", "All %(num)d sites you used are signed out.", out))
    if out + safe == len(lines):
        return str(gettext("Nobody can go on at the sites you used: none lets anybody in without asking here."))
    if out + safe == 0:
        finished = not any(standing in _UNFINISHED for standing in standings)
        return str(gettext("Your sites could not be told.") if finished else gettext("Your sites are being told."))
    if safe:
        return str(gettext("%(done)d of %(all)d sites let nobody in any more.", done=out + safe, all=len(lines)))
    return str(gettext("%(done)d of %(all)d sites are signed out.", done=out, all=len(lines)))


def _shown(line: SiteLine, now: int) -> ShownLine:
    words, detail = _words(line, now)
    return ShownLine(line.client_id, line.name, line.base_url, line.standing, str(words), str(detail))


def has_failed(row: Notification) -> bool:
    """Whether the page says of it that it couldn't be reached."""
    # The first attempt is on its way for a moment; only one that failed is worth a warning.
    return bool(row.sends or row.last_error or row.last_status) or row.state in (State.REFUSED, State.ABANDONED)


def _has_answered(row: Notification) -> bool:
    """Whether the last call brought an answer, though no yes."""
    return row.last_status is not None or row.last_error.removeprefix("http_")[:1].isdecimal()


def _is_worth_a_retry(row: Notification, now: int) -> bool:
    is_due = row.next_attempt_at is not None and row.next_attempt_at <= now
    return has_failed(row) and not is_due and can_retry(row, now)


def _words(line: SiteLine, now: int) -> tuple[object, object]:
    row = line.notification
    failed = has_failed(row)
    match line.standing:
        case Standing.SIGNED_OUT:
            return gettext("Signed out"), ""
        case Standing.OVER:
            return gettext("Over"), gettext("The session there had run out by itself.")
        case Standing.SAFE:
            words = gettext("Can't be reached, but safe") if failed else gettext("Safe")
            return words, gettext("It lets nobody in without asking here.")
        case Standing.TRYING:
            wait = wait_words(-(-((line.safe_at or now) - now) // 1000))
            if not failed:
                return gettext("Being told"), gettext("Safe in %(wait)s at the latest.", wait=wait)
            return gettext("Can't be reached, safe in %(wait)s", wait=wait), gettext(
                "Until then it may still let you in. After that it lets nobody in without asking here."
            )
        case Standing.TRYING_NO_BOUND:
            return _words_without_bound(row, failed)
        case Standing.NOT_TOLD:
            return _words_not_told(row, line.has_frame and services().site.frontchannel_logout)


def _words_without_bound(row: Notification, failed: bool) -> tuple[object, object]:
    if row.kind == POLLED:
        return gettext("Hasn't asked yet"), gettext(
            "This site asks for its sign-outs by itself. Nobody can say when it will."
        )
    if failed and _has_answered(row):
        return gettext("Still trying"), gettext(
            "The site answers, but hasn't accepted the sign-out. We go on trying, but can't say how long it takes."
        )
    if failed:
        return gettext("Still trying"), gettext(
            "The site doesn't answer. We go on trying, but can't say how long it takes."
        )
    return gettext("Being told"), gettext("How long this site takes isn't known.")


def _words_not_told(row: Notification, has_frame: bool) -> tuple[object, object]:
    if row.state is State.NO_ADDRESS and has_frame:
        return gettext("Can't be told"), gettext(
            "Only your browser could tell this site, and nobody can say whether it did. Please sign out there yourself."
        )
    if row.state is State.NO_ADDRESS:
        return gettext("Can't be told"), gettext(
            "This site has no way to hear of a sign-out. Please sign out there yourself."
        )
    if row.last_error.startswith("by:"):
        return gettext("Not told"), gettext(
            "An administrator stopped the attempts to reach it. Please sign out there yourself."
        )
    return gettext("Couldn't be told"), gettext("The site didn't accept the sign-out. Please sign out there yourself.")
