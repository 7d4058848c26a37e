"""The page for devices without a browser (RFC 8628 section 3.3): the code, which app asks, yes or no.

Nothing is answered for an address alone, also not for one that brings the code along: a stranger may have sent it.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from sso_server.core.clients import Client
from sso_server.core.consents import wish_of
from sso_server.core.devices import LIFE_MS, Found, plain_code, shown_code
from sso_server.core.errors import Refused, TooManyGuesses
from sso_server.core.identifiers import digest
from sso_server.fronts.portal.client_face import show_face
from sso_server.fronts.portal.consent_words import in_words
from sso_server.fronts.portal.forms import PRESS_ONCE_MORE, Problem, asks_again, read_form, read_query
from sso_server.fronts.portal.people import DEVICE_PAGE, Person, find_person_quietly, login_required
from sso_server.fronts.portal.times import wait_words
from sso_server.web.errors import log_error, retry_after_of, status_of
from sso_server.web.responses import see_other
from sso_server.web.services import services

blueprint = Blueprint("device", __name__)
_PURPOSE = "device"
_UNKNOWN = lazy_gettext("No device waits for this code. Check it, or have the device show a new one.")
_TOO_LATE = lazy_gettext("This code has been used already, or its time is over. Have the device show a new one.")
#: What just happened, named by a code in the address.
_DONE = {
    "allowed": lazy_gettext("Your device is being signed in. You can go on there."),
    "refused": lazy_gettext("Your device was not signed in."),
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked on the second page."""

    found: Found
    client: Client
    code: str
    sealed: str


@blueprint.get(DEVICE_PAGE)
@login_required
def show(person: Person) -> ResponseReturnValue:
    """Type the code; it stands there already if the address brought it."""
    query = read_query(request)
    plain = plain_code(query.get("user_code", ""))
    return _form(person, shown_code(plain) if plain else "", done=_DONE.get(query.get("done", "")))


@blueprint.post(DEVICE_PAGE)
@login_required
def look_up(person: Person) -> ResponseReturnValue:
    """Which app asks, and for what."""
    typed = read_form(request).get("user_code", "")
    try:
        found = services().devices.find(typed, person.session, request.remote_addr or "")
    except TooManyGuesses as error:
        return _slowed_down(person, typed, error)
    question = _question(found, typed, person) if found is not None else None
    if question is None:
        return _form(person, typed[:40], Problem(_UNKNOWN, ("user_code",)), 400)
    return _ask(person, question)


@blueprint.post(f"{DEVICE_PAGE}/answer")
@login_required
def answer(person: Person) -> ResponseReturnValue:
    """Yes or no, to what this very session's person was asked."""
    values = read_form(request)
    question = _asked(values.get("asked", ""), person)
    if question is None:
        return _form(person, "", Problem(_TOO_LATE), 400)
    found, client, here = question.found, question.client, services()
    try:
        if values.get("answer") != "allow":
            here.devices.refuse(found)
            return see_other(f"{DEVICE_PAGE}?done=refused")
        if client.metadata.third_party:
            # Before the device may come: who isn't agreed to gets nothing.
            here.consents.give(person.user.user_id, client, wish_of(client, found.asking.scope, ()))
        here.devices.approve(found, person.session, client)
    except Refused:
        return _form(person, "", Problem(_TOO_LATE), 400)
    here.consents.note_use_quietly(person.user.user_id, client, found.asking.scope)
    return see_other(f"{DEVICE_PAGE}?done=allowed")


@asks_again(blueprint)
def renew() -> ResponseReturnValue:
    """The form's cookie is gone: the code once more, with a fresh token."""
    values, person = read_form(request), find_person_quietly()
    if person is None:
        return see_other("/sign-in?then=device")
    question = _asked(values.get("asked", ""), person)
    typed = question.code if question is not None else values.get("user_code", "")[:40]
    return _form(person, typed, Problem(PRESS_ONCE_MORE), 400)


def _question(found: Found, typed: str, person: Person) -> Question | None:
    client = services().clients.find(found.asking.client_id)
    if client is None:
        return None
    code = shown_code(plain_code(typed))
    payload = {"name": found.name, "code": code, "of": digest(person.session.sid)}
    return Question(found, client, code, services().seals.seal(_PURPOSE, payload))


def _asked(sealed: str, person: Person) -> Question | None:
    """What the second page asked. None: nothing that waits, or somebody else was asked."""
    asked = services().seals.open(_PURPOSE, sealed, max_age_s=LIFE_MS // 1000) or {}
    if asked.get("of") != digest(person.session.sid):
        return None
    found = services().devices.find_waiting(str(asked.get("name", "")))
    return _question(found, str(asked.get("code", "")), person) if found is not None else None


def _form(
    person: Person, typed: str, problem: Problem | None = None, status: int = 200, done: object = None
) -> Response:
    page = render_template("device.html", person=person, typed=typed, problem=problem, done=done)
    return make_response(page, status)


def _slowed_down(person: Person, typed: str, error: TooManyGuesses) -> Response:
    status = status_of(error)
    log_error(error, status)
    wait = wait_words(-(-error.retry_after_ms // 1000))
    text = gettext("Too many attempts. Please try again in %(wait)s.", wait=wait)
    response = _form(person, typed[:40], Problem(text), status)
    response.headers.update(retry_after_of(error))
    return response


def _ask(person: Person, question: Question) -> Response:
    page = render_template(
        "device_confirm.html",
        person=person,
        question=question,
        face=show_face(question.client),
        items=in_words(wish_of(question.client, question.found.asking.scope, ()), question.client),
    )
    return make_response(page)
