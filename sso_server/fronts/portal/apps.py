"""My apps: what each may see, since when, when last used; remove one, and its tokens and sessions end at once.

This browser goes on with a fresh session where the old one had to end: the person stays signed in here, by the same
password, and the other sites sign them in again without a question.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from sso_server.core.clients import Client
from sso_server.core.consents import Consent, wish_of
from sso_server.core.errors import Unavailable
from sso_server.core.records import record
from sso_server.fronts.portal.asking import home_of, place_of
from sso_server.fronts.portal.browser import open_in_place_of, read_browser, set_session
from sso_server.fronts.portal.client_face import Face, face_of
from sso_server.fronts.portal.consent_words import Item, in_words
from sso_server.fronts.portal.forms import PRESS_ONCE_MORE, Problem, asks_again, read_form, read_query
from sso_server.fronts.portal.people import Person, find_person_quietly, login_required
from sso_server.fronts.portal.signed_out import page_of, read_of
from sso_server.fronts.portal.times import Moment, moment
from sso_server.web.responses import see_other
from sso_server.web.services import services

blueprint = Blueprint("apps", __name__)
_MOST_PLACES = 3


@record
class App:
    """One app as its person sees it."""

    client_id: str
    face: Face
    places: str
    """Where it has people sent back to; empty: nowhere, as a device does."""
    shows_id: bool
    """It has no places, or another one has the same and the same name: only the id tells them apart. Names alone never
    do: letters of another script may look the same."""
    label: str
    """Its name, with what tells it from others of that name: for whoever hears one button after the other."""
    href: str
    items: list[Item]
    since: Moment
    last_used: Moment


@blueprint.get("/apps")
@login_required
def show(person: Person) -> ResponseReturnValue:
    """The list, the last used first."""
    sealed = read_query(request).get("of", "")
    of = read_of(sealed)
    return _page(person, removed=of if of is not None and of.app is not None else None, sealed=sealed)


@blueprint.post("/apps/remove")
@login_required
def remove(person: Person) -> ResponseReturnValue:
    """Take back what one was allowed."""
    client_id, since = read_form(request).get("client", ""), services().clock.now()
    if not services().consents.remove(person.user.user_id, client_id, actor="user"):
        # A second click, or another tab.
        return see_other("/apps")
    report = page_of("", elsewhere=True, user_id=person.user.user_id, since=since, app=client_id)
    response = see_other(f"/apps?{report.partition('?')[2]}")
    browser = read_browser(request)
    # It is removed, and a second press would find nothing to remove: without a fresh session the person signs in again.
    with contextlib.suppress(Unavailable):
        if (signed_in := open_in_place_of(person.session, person.user, browser)) is not None:
            return set_session(response, signed_in, browser)
    return response


@asks_again(blueprint)
def renew() -> ResponseReturnValue:
    """The form's cookie is gone: the list again with fresh tokens."""
    person = find_person_quietly()
    if person is None:
        return see_other("/sign-in?then=apps")
    return _page(person, problem=Problem(PRESS_ONCE_MORE), status=400)


def _page(
    person: Person, *, removed: object = None, sealed: str = "", problem: Problem | None = None, status: int = 200
) -> ResponseReturnValue:
    consents = sorted(services().consents.list_of(person.user.user_id), key=lambda one: -one.last_used_at)
    known = [(consent, services().clients.find(consent.client_id)) for consent in consents]
    page = render_template(
        "apps.html",
        person=person,
        apps=_apps([(consent, client) for consent, client in known if client is not None]),
        removed=removed,
        sealed=sealed,
        problem=problem,
    )
    return make_response(page, status)


def _apps(known: Sequence[tuple[Consent, Client]]) -> list[App]:
    """A name is whatever its client says: each comes with where it leads, and with its id where that isn't enough."""
    now = services().clock.now()
    shown = [(consent, client, face_of(client), _places(client)) for consent, client in known]
    names = Counter(face.name.casefold() for _, _, face, _ in shown)
    alike = Counter((face.name.casefold(), places) for _, _, face, places in shown)
    apps = []
    for consent, client, face, places in shown:
        name = face.name.casefold()
        shows_id = not places or alike[name, places] > 1
        more = client.client_id if shows_id else places
        apps.append(
            App(
                client.client_id,
                face,
                places,
                shows_id,
                f"{face.name} ({more})" if names[name] > 1 or not places else face.name,
                face.home or home_of(client),
                in_words(wish_of(client, consent.scope, consent.claims), client),
                moment(consent.granted_at, now),
                moment(consent.last_used_at, now),
            )
        )
    return apps


def _places(client: Client) -> str:
    places = list(dict.fromkeys(map(place_of, client.redirect_uris)))
    return ", ".join(places[:_MOST_PLACES]) + (", …" if len(places) > _MOST_PLACES else "")
