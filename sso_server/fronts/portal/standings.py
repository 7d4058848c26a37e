"""A sign-out's report in words: how each site stands, in the sentences of the promise, and why the session ended."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext, lazy_gettext, ngettext

from sso_server.core.notifications import State
from sso_server.core.reports import SiteLine, Standing
from sso_server.core.sessions import EndReason
from sso_server.fronts.portal.times import wait_words

#: From good to bad: a site with several stores stands as its worst one.
_ORDER = (
    Standing.OVER,
    Standing.SIGNED_OUT,
    Standing.SAFE,
    Standing.TRYING,
    Standing.TRYING_NO_BOUND,
    Standing.NOT_TOLD,
)
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
    EndReason.REPLACED: lazy_gettext("This session ended because somebody else signed in with this browser."),
    EndReason.STORE_RESTORED: lazy_gettext("This session was ended for safety after a repair. Please sign in again."),
}


@dataclass(frozen=True, slots=True)
class ShownLine:
    """One site on the page. `detail` may be empty."""

    client_id: str
    name: str
    href: str
    standing: Standing
    words: str
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """All sites of one sign-out, and the sentence above them."""

    lines: tuple[ShownLine, ...]
    finished: bool
    summary: str


def report(lines: list[SiteLine], now: int) -> Report:
    """The report at `now` (ms)."""
    worst: dict[str, SiteLine] = {}
    for line in lines:
        other = worst.get(line.client_id)
        if other is None or _rank(line) > _rank(other):
            worst[line.client_id] = line
    shown = tuple(_shown(line, now) for line in worst.values())
    return Report(shown, not any(line.standing in _UNFINISHED for line in shown), _summary(shown))


def _rank(line: SiteLine) -> tuple[int, int]:
    return _ORDER.index(line.standing), line.safe_at or 0


def _summary(lines: tuple[ShownLine, ...]) -> str:
    if not lines:
        return str(gettext("No other site took part in this session."))
    finished = not any(line.standing in _UNFINISHED for line in lines)
    out = sum(line.standing in (Standing.SIGNED_OUT, Standing.SAFE, Standing.OVER) for line in lines)
    if out == len(lines):
        return str(ngettext("The one site you used is signed out.", "All %(num)d sites you used are signed out.", out))
    if out == 0:
        return str(gettext("Your sites could not be told.") if finished else gettext("Your sites are being told."))
    return str(gettext("%(done)d of %(all)d sites are signed out.", done=out, all=len(lines)))


def _shown(line: SiteLine, now: int) -> ShownLine:
    words, detail = _words(line, now)
    return ShownLine(line.client_id, line.name, line.base_url, line.standing, words, detail)


def _words(line: SiteLine, now: int) -> tuple[str, str]:
    row = line.notification
    # The first attempt is on its way for a moment; only one that failed is worth a warning.
    failed = bool(row.last_error or row.last_status) or row.state in (State.REFUSED, State.ABANDONED)
    match line.standing:
        case Standing.SIGNED_OUT:
            return str(gettext("Signed out")), ""
        case Standing.OVER:
            return str(gettext("Over")), str(gettext("The session there had run out by itself."))
        case Standing.SAFE:
            return str(gettext("Can't be reached, but safe")), str(gettext("It lets nobody in without asking here."))
        case Standing.TRYING:
            wait = wait_words(-(-((line.safe_at or now) - now) // 1000))
            if failed:
                return str(gettext("Can't be reached, safe in %(wait)s", wait=wait)), str(
                    gettext("Until then it may still let you in. After that it lets nobody in without asking here.")
                )
            return str(gettext("Being told")), str(gettext("Safe in %(wait)s at the latest.", wait=wait))
        case Standing.TRYING_NO_BOUND:
            if failed:
                return str(gettext("Still trying")), str(
                    gettext("The site doesn't answer. We go on trying, but can't say how long it takes.")
                )
            return str(gettext("Being told")), ""
        case Standing.NOT_TOLD:
            if row.state is State.NO_ADDRESS:
                return str(gettext("Can't be told")), str(
                    gettext("This site has no way to hear of a sign-out. Please sign out there yourself.")
                )
            return str(gettext("Couldn't be told")), str(
                gettext("The site didn't accept the sign-out. Please sign out there yourself.")
            )
