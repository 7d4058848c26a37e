"""The page after a sign-out: a line per site, true at every moment; its JSON twin feeds the script. One button has the
sites told again that couldn't be told.
"""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext, ngettext

from sso_server.core.clients import Client
from sso_server.core.records import record
from sso_server.core.reports import SiteLine
from sso_server.core.sessions import EndReason
from sso_server.fronts.portal.asking import home_of
from sso_server.fronts.portal.everywhere import ended_since
from sso_server.fronts.portal.forms import PRESS_ONCE_MORE, Problem, asks_again, read_form, read_query
from sso_server.fronts.portal.people import find_person, find_person_quietly
from sso_server.fronts.portal.standings import REASONS, Report, report
from sso_server.web.responses import json_answer, see_other
from sso_server.web.services import services

blueprint = Blueprint("signed_out", __name__)
_MAX_AGE_S = 3600

#: What the button did, named by a code in the address: a reload says it again without doing it again.
_AGAIN = {
    "told": lazy_gettext("The sites that couldn't be told are being told again now."),
    "wait": lazy_gettext("They were told again a moment ago. Please wait a few seconds."),
}


@record
class Of:
    """Which sign-out the page is about. `elsewhere`: another device's, ended from the list of sessions."""

    sid: str
    client: Client | None
    elsewhere: bool
    user_id: str
    """Of a sign-out everywhere: whose."""
    since: int
    """Of a sign-out everywhere: when it was ordered (ms); else 0."""
    app: Client | None = None
    """Of a removed app: which; its sessions are then those of `user_id` and `since`."""

    @property
    def back(self) -> str:
        """The start page of the site that the person came from, as registered at this moment; may be empty."""
        return home_of(self.client) if self.client else ""


def page_of(
    sid: str, client_id: str = "", *, elsewhere: bool = False, user_id: str = "", since: int = 0, app: str = ""
) -> str:
    """The address of the report; sealed, so that nobody reads other people's. With `user_id` and `since` (ms) it is
    that of a sign-out everywhere; with `elsewhere` `sid` is then the session that was kept. `app`: not all sessions,
    but those that ended with this app."""
    payload: dict[str, str | int] = {"sid": sid, "client_id": client_id}
    payload |= {"elsewhere": 1} if elsewhere else {}
    payload |= {"user_id": user_id, "since": since} if user_id else {}
    payload |= {"app": app} if app else {}
    return _address(services().seals.seal("signed-out", payload))


def read_of(sealed: str) -> Of | None:
    """What `page_of` sealed within the last hour."""
    payload = services().seals.open("signed-out", sealed, max_age_s=_MAX_AGE_S) if sealed else None
    if payload is None:
        return None
    return Of(
        sid=str(payload.get("sid") or ""),
        client=services().clients.find(str(payload.get("client_id") or "")),
        elsewhere=bool(payload.get("elsewhere")),
        user_id=str(payload.get("user_id") or ""),
        since=int(payload.get("since") or 0),
        app=services().clients.find(str(payload.get("app"))) if payload.get("app") else None,
    )


@blueprint.get("/signed-out")
def show() -> ResponseReturnValue:
    """The report. Without one (too old, mistyped): who is signed in goes home."""
    values = read_query(request)
    sealed = values.get("of", "")
    of = read_of(sealed)
    if of is not None:
        return _page(of, sealed, notice=_AGAIN.get(values.get("again", "")))
    if find_person() is not None:
        return see_other("/")
    return render_template("signed_out.html", of=None, report=None, person=None)


@blueprint.get("/signed-out.json")
def show_json() -> Response:
    """The same lines for the page's script, in the page's language."""
    of = read_of(read_query(request).get("of", ""))
    if of is None:
        return json_answer({"error": "not_found"}, 404)
    shown = _report(_lines(of))
    return json_answer(
        {
            "finished": shown.finished,
            "counting": shown.counting,
            "waiting": shown.waiting,
            "can_retry": shown.can_retry,
            "summary": shown.summary,
            "lines": [
                {"client_id": x.client_id, "standing": x.standing.value, "words": x.words, "detail": x.detail}
                for x in shown.lines
            ],
        }
    )


@blueprint.post("/signed-out/again")
def tell_again() -> ResponseReturnValue:
    """Have the sites told now that couldn't be told; whoever was given the report's address may."""
    sealed = read_form(request).get("of", "")
    of = read_of(sealed)
    if of is None:
        return see_other("/signed-out")
    rows = [line.notification for line in _lines(of).sites]
    count = services().interventions.retry_rested(rows, actor="user")
    return see_other(_address(sealed, again="told" if count else "wait"))


@asks_again(blueprint)
def renew() -> ResponseReturnValue:
    """The form's cookie is gone: the report again, with a fresh token."""
    sealed = read_form(request).get("of", "")
    of = read_of(sealed)
    return see_other("/signed-out") if of is None else _page(of, sealed, problem=Problem(PRESS_ONCE_MORE), status=400)


@record
class _Lines:
    sites: list[SiteLine]
    sessions: int
    still_open: int


def _lines(of: Of) -> _Lines:
    app = of.app.client_id if of.app else ""
    swath = ended_since(of.user_id, of.since, of.sid if of.elsewhere else "", app=app) if of.user_id else None
    sids = dict.fromkeys(swath.sids if swath else ())
    if of.sid and not (swath and of.elsewhere):
        sids.setdefault(of.sid)
    found = services().reports.lines_of(sids)
    return _Lines([line for lines in found.values() for line in lines], len(sids), swath.still_open if swath else 0)


def _report(lines: _Lines) -> Report:
    return report(lines.sites, services().clock.now(), still_open=lines.still_open)


def _page(
    of: Of, sealed: str, *, notice: object = None, problem: Problem | None = None, status: int = 200
) -> ResponseReturnValue:
    lines = _lines(of)
    reason = next((line.notification.reason for line in lines.sites), "")
    page = render_template(
        "signed_out.html",
        of=of,
        sealed=sealed,
        address=_address(sealed),
        report=_report(lines),
        reason=REASONS.get(EndReason(reason)) if reason else None,
        sessions=_sessions_in_words(of, lines.sessions),
        notice=notice,
        problem=problem,
        person=find_person_quietly(),
    )
    return make_response(page, status)


def _sessions_in_words(of: Of, count: int) -> str:
    if not of.user_id or not count:
        return ""
    return str(ngettext("This ended one session of yours.", "This ended %(num)d sessions of yours.", count))


def _address(sealed: str, **more: str) -> str:
    return "/signed-out?" + urlencode({"of": sealed, **more})
