"""All sign-outs for an administrator, newest first: filtered, page by page. Only reading."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from sso_server.core import identifiers
from sso_server.core.errors import InvalidRequest
from sso_server.core.records import record
from sso_server.core.reports import FROM_GOOD_TO_BAD, SiteLine, one_for_each_site
from sso_server.core.sessions import Session
from sso_server.core.users import fold_username
from sso_server.fronts.portal.forms import Problem, read_query
from sso_server.fronts.portal.ledger.words import end_in_words, standings_in_words
from sso_server.fronts.portal.people import Person, administrator_required
from sso_server.fronts.portal.times import Moment, moment
from sso_server.web.services import services

blueprint = Blueprint("ledger_overview", __name__)
_PER_PAGE = 25
_MAX_USERNAME = 256


@record
class Asked:
    """What the address asks for. `before` and `before_sid`: the last one of the page before."""

    username: str
    unfinished: bool
    before: int
    before_sid: str

    def address(self, last: Session | None = None) -> str:
        """The same list: from its beginning, or after `last`."""
        wanted = {"user": self.username, "unfinished": "1" if self.unfinished else ""}
        if last is not None:
            wanted |= {"before": str(last.ended_at), "before_sid": last.sid}
        query = urlencode({name: value for name, value in wanted.items() if value})
        return f"/admin/sign-outs?{query}" if query else "/admin/sign-outs"


@record
class Listed:
    """One sign-out in the list."""

    sid: str
    username: str
    ended: Moment
    reason: str
    sites: str
    worst: str
    """The standing of its worst site; empty without sites."""


@blueprint.get("/admin/sign-outs")
@administrator_required
def show(person: Person) -> ResponseReturnValue:
    """One page of the list."""
    asked = _read(read_query(request))
    user = services().users.find_by_username(fold_username(asked.username)) if asked.username else None
    if asked.username and user is None:
        problem = Problem(gettext("There is no user %(name)s.", name=asked.username), ("user",))
        return _page(person, asked, [], more=False, problem=problem, status=404)
    found = services().ledger.list_ended(
        _PER_PAGE + 1,
        before=asked.before,
        before_sid=asked.before_sid,
        unfinished_only=asked.unfinished,
        user_id=user.user_id if user else "",
    )
    return _page(person, asked, found[:_PER_PAGE], more=len(found) > _PER_PAGE)


def _read(values: dict[str, str]) -> Asked:
    before, before_sid = values.get("before", "0"), values.get("before_sid", "")
    if not (before.isascii() and before.isdecimal() and len(before) <= 15):
        raise InvalidRequest("`before` is a time in milliseconds.")
    if before_sid and not identifiers.is_kind(before_sid, identifiers.SESSION):
        raise InvalidRequest("`before_sid` is a session's identifier.")
    username = values.get("user", "").strip()[:_MAX_USERNAME]
    return Asked(username, "unfinished" in values, int(before), before_sid)


def _page(
    person: Person,
    asked: Asked,
    found: list[Session],
    *,
    more: bool,
    problem: Problem | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    lines = services().reports.lines_of(session.sid for session in found)
    names = {user_id: _name(user_id) for user_id in {session.user_id for session in found}}
    page = render_template(
        "ledger_overview.html",
        person=person,
        asked=asked,
        listed=[_listed(session, names[session.user_id], lines[session.sid]) for session in found],
        older=asked.address(found[-1]) if more else "",
        newest=asked.address() if asked.before else "",
        problem=problem,
    )
    return make_response(page, status)


def _listed(session: Session, username: str, lines: list[SiteLine]) -> Listed:
    worst = max((line.standing for line in lines), key=FROM_GOOD_TO_BAD.index, default=None)
    return Listed(
        session.sid,
        username,
        moment(session.ended_at or 0, services().clock.now()),
        end_in_words(session.end_reason),
        standings_in_words(one_for_each_site(lines)),
        worst.value if worst else "",
    )


def _name(user_id: str) -> str:
    user = services().people.find(user_id)
    return user.username if user else user_id
