"""The page for people who asked to be asked before a site signs them in (`warn`, CAS 3.0.3 section 2.2.1)."""

from __future__ import annotations

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from sso_server.fronts.portal.asking import Asking, allow_return, read_asking, with_answer
from sso_server.fronts.portal.forms import PRESS_ONCE_MORE, Problem, asks_again, read_form, read_query
from sso_server.fronts.portal.people import Person, find_person, find_person_quietly
from sso_server.web.cookies import clear_warn_cookie
from sso_server.web.responses import see_other
from sso_server.web.services import services

blueprint = Blueprint("go_on", __name__)


@blueprint.get("/go-on")
def ask() -> ResponseReturnValue:
    """Which site asks, and as whom one would be signed in."""
    asking = read_asking(read_query(request).get("request", ""))
    return _page_or_on(asking, find_person())


@blueprint.post("/go-on")
def go_on() -> ResponseReturnValue:
    """Yes; and from now on without asking, if the tick was taken away."""
    values = read_form(request)
    asking, person = read_asking(values.get("request", "")), find_person()
    if person is None or not asking.sealed:
        return _page_or_on(asking, person)
    response = see_other(with_answer(asking, person.session, services().clock.now()).goes_on_at)
    if "warn" not in values:
        clear_warn_cookie(response)
    return response


@asks_again(blueprint)
def renew() -> ResponseReturnValue:
    """The form's cookie is gone: the same page with a fresh token."""
    asking = read_asking(read_form(request).get("request", ""))
    return _page_or_on(asking, find_person_quietly(), Problem(PRESS_ONCE_MORE), 400)


def _page_or_on(
    asking: Asking, person: Person | None, problem: Problem | None = None, status: int = 200
) -> ResponseReturnValue:
    if not asking.sealed:
        return see_other("/")
    if person is None or asking.client is None:
        # Nobody is signed in any more, or the site is gone: the asking front says what comes next.
        return see_other(asking.goes_on_at)
    allow_return(asking)
    page = render_template("go_on.html", asking=asking, person=person, problem=problem)
    return make_response(page, status)
