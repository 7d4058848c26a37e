"""The page on which a person agrees that a client learns who they are, and what else; or doesn't.

Only a POST agrees, and only to what the seal says that this very session's person was asked. The asking front checks
everything again: what it asks for by then must be covered.
"""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from sso_server.fronts.portal.asking import Asking, allow_return, read_asking, with_consent
from sso_server.fronts.portal.client_face import name_of, show_face
from sso_server.fronts.portal.consent_words import in_words
from sso_server.fronts.portal.forms import PRESS_ONCE_MORE, Problem, asks_again, read_form, read_query
from sso_server.fronts.portal.people import Person, find_person, find_person_quietly
from sso_server.web.responses import see_other
from sso_server.web.services import services

blueprint = Blueprint("consent", __name__)
blueprint.add_app_template_global(name_of)


@blueprint.get("/consent")
def ask() -> ResponseReturnValue:
    """Who asks, for what, and what of it is new."""
    return _page_or_on(read_asking(read_query(request).get("request", "")), find_person())


@blueprint.post("/consent")
def agree() -> ResponseReturnValue:
    """Yes, to all of it."""
    asking, person = read_asking(read_form(request).get("request", "")), find_person()
    wish = asking.wish_for(person.session) if person is not None else None
    if person is None or asking.client is None or wish is None:
        return _page_or_on(asking, person)
    services().consents.give(person.user.user_id, asking.client, wish)
    return see_other(with_consent(asking, services().clock.now()).goes_on_at)


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
    wish = asking.wish_for(person.session) if person is not None else None
    if person is None or asking.client is None or wish is None:
        # Nobody is signed in any more, or somebody else than was asked; or the site is gone: the asking front says
        # what comes next.
        return see_other(asking.goes_on_at)
    allow_return(asking)
    known = services().consents.find(person.user.user_id, asking.client.client_id)
    page = render_template(
        "consent.html",
        asking=asking,
        face=show_face(asking.client),
        items=in_words(wish, asking.client, known),
        person=person,
        problem=problem,
        others_at=f"/sign-in?{urlencode({'request': asking.sealed})}",
    )
    return make_response(page, status)
