"""One sign-out for an administrator: each row with what went wrong and its cure; try again, or give a site up."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from werkzeug.exceptions import NotFound

from sso_server.core.events import EventKind
from sso_server.core.interventions import can_abandon, can_retry
from sso_server.core.notifications import POLLED, Notification, State
from sso_server.core.records import record
from sso_server.core.reports import SiteLine, one_for_each_site
from sso_server.core.sessions import Session
from sso_server.fronts.portal.forms import PRESS_ONCE_MORE, Problem, asks_again, read_form, read_query
from sso_server.fronts.portal.ledger import words
from sso_server.fronts.portal.ledger.answers import answer_in_words, was_called_in_vain
from sso_server.fronts.portal.people import Person, administrator_required, find_person_quietly
from sso_server.fronts.portal.times import Moment, moment, wait_words
from sso_server.web.responses import see_other
from sso_server.web.services import services

blueprint = Blueprint("ledger_one", __name__)
_MAX_EVENTS = 200

#: What the button did, named by a code in the address: a reload says it again without doing it again.
_DONE = {
    "told": lazy_gettext("Being told again now."),
    "nothing": lazy_gettext("Nothing can be told again right now: it is being told this moment, or it is over."),
    "abandoned": lazy_gettext("Given up. A site with the SDK still hears of it when it next checks in."),
    "over": lazy_gettext("There was nothing left to give up."),
}


@record
class Row:
    """One row of the ledger in words. What doesn't apply is empty or None."""

    line: SiteLine
    state: str
    attempts: int
    answer: str
    cure: str
    next_try: str
    safe: str
    local_until: str
    ended: Moment | None


@record
class ShownSite:
    """A site with its rows: one for each of its stores, one for all tickets of a CAS site."""

    client_id: str
    name: str
    rows: tuple[Row, ...]
    can_retry: bool
    can_abandon: bool
    examine: bool
    """A call to it failed: the doctor on the command line may say more."""


@blueprint.get("/admin/sign-outs/<sid>")
@administrator_required
def show(person: Person, sid: str) -> ResponseReturnValue:
    """The sign-out with all its rows."""
    return _page(person, _get(sid), notice=_DONE.get(read_query(request).get("done", "")))


@blueprint.post("/admin/sign-outs/<sid>/retry")
@administrator_required
def retry(person: Person, sid: str) -> ResponseReturnValue:
    """Tell one site again now, or every site."""
    site = read_form(request).get("site", "")
    count = services().interventions.retry(_get(sid).sid, site, actor=f"admin:{person.user.username}")
    return _back(sid, "told" if count else "nothing")


@blueprint.get("/admin/sign-outs/<sid>/abandon")
@administrator_required
def ask_abandon(person: Person, sid: str) -> ResponseReturnValue:
    """Ask first: nothing calls that site again by itself."""
    return _question(person, _get(sid), read_query(request).get("site", ""))


@blueprint.post("/admin/sign-outs/<sid>/abandon")
@administrator_required
def abandon(person: Person, sid: str) -> ResponseReturnValue:
    """Give one site up."""
    site = read_form(request).get("site", "")
    if not site:
        # The ledger takes "no site" for every site, and nobody was asked about those.
        raise NotFound
    count = services().interventions.abandon(_get(sid).sid, site, actor=f"admin:{person.user.username}")
    return _back(sid, "abandoned" if count else "over")


@asks_again(blueprint)
def renew() -> ResponseReturnValue:
    """The form's cookie is gone: the page again, with a fresh token."""
    person, sid = find_person_quietly(), str((request.view_args or {}).get("sid", ""))
    if person is None or not person.user.is_admin:
        return see_other("/sign-in")
    problem = Problem(PRESS_ONCE_MORE)
    if request.path.endswith("/abandon"):
        return _question(person, _get(sid), read_form(request).get("site", ""), problem, 400)
    return _page(person, _get(sid), problem=problem, status=400)


def _get(sid: str) -> Session:
    session = services().interventions.find(sid)
    if session is None:
        raise NotFound
    return session


def _back(sid: str, done: str) -> ResponseReturnValue:
    return see_other(f"/admin/sign-outs/{sid}?{urlencode({'done': done})}")


def _question(
    person: Person, session: Session, client_id: str, problem: Problem | None = None, status: int = 200
) -> ResponseReturnValue:
    site = next((site for site in _sites(session) if site.client_id == client_id), None)
    if site is None:
        raise NotFound
    if not site.can_abandon:
        return _back(session.sid, "over")
    page = render_template("ledger_abandon.html", person=person, session=session, shown=site, problem=problem)
    return make_response(page, status)


def _page(
    person: Person, session: Session, *, notice: object = None, problem: Problem | None = None, status: int = 200
) -> ResponseReturnValue:
    now = services().clock.now()
    sites = _sites(session)
    names = {shown.client_id: shown.name for shown in sites}
    events = services().audit.list_events(_MAX_EVENTS, sid=session.sid)
    user = services().people.find(session.user_id)
    actor = next((event.actor for event in events if event.kind is EventKind.SESSION_ENDED), "")
    page = render_template(
        "ledger_one.html",
        person=person,
        session=session,
        username=user.username if user else session.user_id,
        ended=moment(session.ended_at or 0, now),
        reason=words.end_in_words(session.end_reason),
        actor=words.actor_in_words(actor),
        summary=words.standings_in_words([row.line for shown in sites for row in shown.rows]),
        sites=sites,
        can_retry=sum(shown.can_retry for shown in sites) > 1,
        by_hand=[
            (moment(event.at, now), words.by_hand_in_words(event, names.get(event.client_id, event.client_id)))
            for event in events
            if words.was_by_hand(event)
        ],
        notice=notice,
        problem=problem,
    )
    return make_response(page, status)


def _sites(session: Session) -> list[ShownSite]:
    now = services().clock.now()
    of_client: dict[str, list[SiteLine]] = {}
    for line in services().reports.lines(session.sid):
        of_client.setdefault(line.client_id, []).append(line)
    return [
        ShownSite(
            client_id,
            lines[0].name,
            tuple(_row(line, now) for line in one_for_each_site(lines)),
            any(can_retry(line.notification, now) for line in lines),
            any(can_abandon(line.notification) for line in lines),
            any(was_called_in_vain(line.notification) for line in lines),
        )
        for client_id, lines in of_client.items()
    ]


def _row(line: SiteLine, now: int) -> Row:
    row = line.notification
    answer, cure = answer_in_words(row)
    return Row(
        line=line,
        state=str(words.STATES[row.state]),
        attempts=row.sends,
        answer=answer,
        cure=cure,
        next_try=_next_try(row, now),
        safe=words.safe_in_words(line, now),
        local_until=_local_until(row, now),
        ended=moment(row.final_at, now) if row.final_at is not None else None,
    )


def _local_until(row: Notification, now: int) -> str:
    if row.state is State.ACKNOWLEDGED:
        # It ended when the site was told.
        return ""
    return moment(row.local_until, now).words if row.local_until <= now else _wait(row.local_until - now)


def _next_try(row: Notification, now: int) -> str:
    if row.state is State.CLAIMED:
        return str(gettext("under way"))
    if row.state is not State.PENDING:
        return ""
    if row.kind == POLLED:
        return str(gettext("when it asks"))
    if row.next_attempt_at is None:
        return str(gettext("when it next checks in"))
    return _wait(row.next_attempt_at - now)


def _wait(ms: int) -> str:
    return str(gettext("in %(wait)s", wait=wait_words(-(-ms // 1000))) if ms > 0 else gettext("now"))
