"""The ledger in words for an administrator: why a session ended, how a row stands, what was done by hand."""

from __future__ import annotations

from flask_babel import gettext, lazy_gettext

from sso_server.core.events import Event, EventKind
from sso_server.core.notifications import State
from sso_server.core.reports import SiteLine, Standing
from sso_server.core.sessions import EndReason
from sso_server.fronts.portal.times import wait_words

ENDS = {
    EndReason.SIGN_OUT: lazy_gettext("signed out"),
    EndReason.SIGN_OUT_EVERYWHERE: lazy_gettext("signed out everywhere"),
    EndReason.SITE_SIGN_OUT: lazy_gettext("signed out at a site"),
    EndReason.IDLE: lazy_gettext("not used for too long"),
    EndReason.ABSOLUTE: lazy_gettext("its longest time was over"),
    EndReason.ADMINISTRATOR: lazy_gettext("ended by an administrator"),
    EndReason.PASSWORD_CHANGE: lazy_gettext("password changed"),
    EndReason.ACCOUNT_DISABLED: lazy_gettext("account disabled"),
    EndReason.TOKEN_REUSE: lazy_gettext("a key was used twice"),
    EndReason.CLIENT_REMOVED: lazy_gettext("a site was removed"),
    EndReason.APP_REMOVED: lazy_gettext("the person removed an app"),
    EndReason.REPLACED: lazy_gettext("somebody else signed in with that browser"),
    EndReason.STORE_RESTORED: lazy_gettext("ended after a repair"),
    EndReason.UNKNOWN_SESSION: lazy_gettext("not known here"),
}
STATES = {
    State.PENDING: lazy_gettext("To be told"),
    State.CLAIMED: lazy_gettext("Being told now"),
    State.ACKNOWLEDGED: lazy_gettext("Signed out"),
    State.REFUSED: lazy_gettext("Refused"),
    State.ABANDONED: lazy_gettext("Given up"),
    State.MOOT: lazy_gettext("Nothing left to end"),
    State.NO_ADDRESS: lazy_gettext("No logout address"),
}
_BY_HAND = {
    EventKind.NOTIFICATION_RETRIED: lazy_gettext("%(who)s had %(site)s told again."),
    EventKind.NOTIFICATION_ABANDONED: lazy_gettext("%(who)s gave %(site)s up."),
}
_ALL_BY_HAND = {
    EventKind.NOTIFICATION_RETRIED: lazy_gettext("%(who)s had every site told again."),
    EventKind.NOTIFICATION_ABANDONED: lazy_gettext("%(who)s gave every site up."),
}


def end_in_words(reason: str | None) -> str:
    """Why a session ended; a reason that this version doesn't know as it is written."""
    known = next((words for kind, words in ENDS.items() if kind == reason), None)
    return str(known) if known is not None else reason or ""


def actor_in_words(actor: str) -> str:
    """Who ended it, as the audit has it."""
    kind, _, name = actor.partition(":")
    match kind:
        case "user":
            return str(gettext("the person"))
        case "client":
            return str(gettext("the site %(site)s", site=name))
        case "admin":
            return name
        case "cli":
            return str(gettext("a command on the server"))
        case "sweeper":
            return str(gettext("time"))
        case "order":
            return str(gettext("an order for many sessions"))
        case _:
            return str(gettext("not known"))


def giver_in_words(name: str) -> str:
    """Who gave a row up, as the ledger has it."""
    return actor_in_words("cli") if name == "cli" else name


def was_by_hand(event: Event) -> bool:
    """Whether the line of the audit says what somebody did to a row."""
    return event.kind in _BY_HAND


def by_hand_in_words(event: Event, site: str) -> str:
    """What somebody did to a row; `site` empty: to every row."""
    sentence = (_BY_HAND if site else _ALL_BY_HAND)[event.kind]
    return str(sentence % {"who": actor_in_words(event.actor), "site": site})


def standings_in_words(lines: list[SiteLine]) -> str:
    """`2 of 3 signed out, 1 being told`: each site counted once per store."""
    if not lines:
        return str(gettext("It had opened no site."))
    standings = [line.standing for line in lines]
    done = sum(standing in (Standing.SIGNED_OUT, Standing.OVER) for standing in standings)
    trying = sum(standing in (Standing.TRYING, Standing.TRYING_NO_BOUND) for standing in standings)
    parts = [gettext("%(done)d of %(all)d signed out", done=done, all=len(lines))]
    if safe := standings.count(Standing.SAFE):
        parts.append(gettext("%(num)d safe", num=safe))
    if trying:
        parts.append(gettext("%(num)d being told", num=trying))
    if untold := standings.count(Standing.NOT_TOLD):
        parts.append(gettext("%(num)d not told", num=untold))
    return str(gettext(", ")).join(str(part) for part in parts)


def safe_in_words(line: SiteLine, now: int) -> str:
    """By when nobody can go on at that site, even if it never hears."""
    if line.standing in (Standing.SIGNED_OUT, Standing.OVER):
        return str(gettext("now"))
    if line.safe_at is None:
        return str(gettext("no bound known"))
    if line.safe_at <= now:
        return str(gettext("now: it lets nobody in without asking here"))
    return str(gettext("in %(wait)s", wait=wait_words(-(-(line.safe_at - now) // 1000))))
