"""The page after a sign-out: a line per site, true at every moment; its JSON twin feeds the script. Both only read."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from sso_server.core.clients import Client
from sso_server.core.sessions import EndReason
from sso_server.fronts.portal.asking import home_of
from sso_server.fronts.portal.forms import read_query
from sso_server.fronts.portal.people import find_person
from sso_server.fronts.portal.standings import REASONS, Report, report
from sso_server.web.responses import json_answer, see_other
from sso_server.web.services import services

blueprint = Blueprint("signed_out", __name__)
_MAX_AGE_S = 3600


@dataclass(frozen=True, slots=True)
class Of:
    """Which sign-out the page is about. `elsewhere`: another device's, ended from the list of sessions."""

    sid: str
    client: Client | None
    back: str
    elsewhere: bool


def page_of(sid: str, client_id: str = "", back: str = "", *, elsewhere: bool = False) -> str:
    """The address of the report; sealed, so that nobody reads other people's."""
    payload = {"sid": sid, "client_id": client_id, "back": back, **({"elsewhere": 1} if elsewhere else {})}
    return "/signed-out?" + urlencode({"of": services().seals.seal("signed-out", payload)})


def read_of(sealed: str) -> Of | None:
    """What `page_of` sealed within the last hour."""
    payload = services().seals.open("signed-out", sealed, max_age_s=_MAX_AGE_S) if sealed else None
    if payload is None:
        return None
    client = services().clients.find(str(payload.get("client_id") or ""))
    back = str(payload.get("back") or "")
    return Of(str(payload.get("sid") or ""), client, back, bool(payload.get("elsewhere")))


@blueprint.get("/signed-out")
def show() -> ResponseReturnValue:
    """The report. Without one (too old, mistyped): who is signed in goes home."""
    of = read_of(read_query(request).get("of", ""))
    person = find_person()
    if of is None:
        if person is not None:
            return see_other("/")
        return render_template("signed_out.html", of=None, report=None, back="", person=None)
    lines, reason = _report(of)
    back = of.back or (home_of(of.client) if of.client else "")
    return render_template("signed_out.html", of=of, report=lines, reason=reason, back=back, person=person)


@blueprint.get("/signed-out.json")
def show_json() -> Response:
    """The same lines for the page's script, in the page's language."""
    of = read_of(read_query(request).get("of", ""))
    if of is None:
        return json_answer({"error": "not_found"}, 404)
    lines, _ = _report(of)
    return json_answer(
        {
            "finished": lines.finished,
            "summary": lines.summary,
            "lines": [
                {"client_id": x.client_id, "standing": x.standing.value, "words": x.words, "detail": x.detail}
                for x in lines.lines
            ],
        }
    )


def _report(of: Of) -> tuple[Report, object]:
    rows = services().reports.lines(of.sid) if of.sid else []
    reason = next((row.notification.reason for row in rows), "")
    return report(rows, services().clock.now()), REASONS.get(EndReason(reason)) if reason else None
