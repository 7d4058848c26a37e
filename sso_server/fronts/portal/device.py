"""The page for devices without a browser (RFC 8628 section 3.3): the code, which app asks, yes or no.

Nothing is answered for an address alone, also not for one that brings the code along: a stranger may have sent it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from sso_server.core.clients import Client
from sso_server.core.consents import wish_of
from sso_server.core.devices import LIFE_MS, Found, plain_code, shown_code
from sso_server.core.errors import Refused, TooManyGuesses
from sso_server.core.identifiers import digest
from sso_server.core.records import record
from sso_server.fronts.portal.asking import DEVICE
from sso_server.fronts.portal.client_face import show_face
from sso_server.fronts.portal.consent_words import in_words
from sso_server.fronts.portal.forms import PRESS_ONCE_MORE, Problem, asks_again, read_form, read_query
from sso_server.fronts.portal.people import DEVICE_PAGE, Person, find_person, find_person_quietly, login_required
from sso_server.fronts.portal.times import wait_words
from sso_server.web.errors import log_error, retry_after_of, status_of
from sso_server.web.responses import see_other
from sso_server.web.sealed_requests import hand_over, take_back
from sso_server.web.services import services
from sso_server.web.typed import is_too_old, proof_in

blueprint = Blueprint("device", __name__)
_PURPOSE = "device"
_UNKNOWN = lazy_gettext("No device waits for this code. Check it, or have the device show a new one.")
_TOO_LATE = lazy_gettext("This code has been used already, or its time is over. Have the device show a new one.")
#: What just happened, named by a code in the address.
_DONE = {
    "allowed": lazy_gettext("Your device is being signed in. You can go on there."),
    "refused": lazy_gettext("Your device was not signed in."),
}


@record
class Question:
    """What is asked on the second page."""

    found: Found
    client: Client
    code: str
    said: dict[str, Any]
    """What the seals of this question say: the slip's name, the code, of whom it is asked, and the proof that this
    person typed the password for it, if they did."""

    @property
    def sealed(self) -> str:
        """For the form."""
        return services().seals.seal(_PURPOSE, self.said)


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
    question = _question(found, typed, person, {}) if found is not None else None
    if question is None:
        return _form(person, typed[:40], Problem(_UNKNOWN, ("user_code",)), 400)
    return _ask(person, question)


@blueprint.get(DEVICE)
def go_on() -> ResponseReturnValue:
    """Back from the sign-in page, with the same question."""
    _, sealed = take_back(request, DEVICE)
    person = find_person()
    question = _asked(sealed, person) if person is not None else None
    if person is None or question is None:
        # Nobody, or somebody else than typed the code: that comes first, for them as well.
        return see_other(f"{DEVICE_PAGE}?{urlencode({'user_code': str(sealed.get('code', ''))})}")
    return _ask(person, question)


@blueprint.post(f"{DEVICE_PAGE}/answer")
@login_required
def answer(person: Person) -> ResponseReturnValue:
    """Yes or no, to what this very session's person was asked."""
    values = read_form(request)
    question = _asked(_said(values), person)
    if question is None:
        return _form(person, "", Problem(_TOO_LATE), 400)
    if values.get("answer") == "allow" and _wants_password(question, person):
        return _ask_password(question)
    found, client, here = question.found, question.client, services()
    try:
        if values.get("answer") != "allow":
            here.devices.refuse(found)
            return see_other(f"{DEVICE_PAGE}?done=refused")
        wish = wish_of(client, found.asking.scope, ())
        agree = partial(here.consents.give, person.user.user_id, client, wish)
        here.devices.approve(found, person.session, client, agree if client.metadata.third_party else None)
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
    question = _asked(_said(values), person)
    typed = question.code if question is not None else values.get("user_code", "")[:40]
    return _form(person, typed, Problem(PRESS_ONCE_MORE), 400)


def _question(found: Found, typed: str, person: Person, said: Mapping[str, Any]) -> Question | None:
    client = services().clients.find(found.asking.client_id)
    if client is None:
        return None
    code = shown_code(plain_code(typed))
    asked = {"name": found.name, "code": code, "of": digest(person.session.sid)}
    return Question(found, client, code, asked | proof_in(said))


def _said(values: Mapping[str, str]) -> dict[str, Any]:
    """What the form's seal says; nothing if it is broken, or as old as no code can be."""
    return services().seals.open(_PURPOSE, values.get("asked", ""), max_age_s=LIFE_MS // 1000) or {}


def _asked(said: Mapping[str, Any], person: Person) -> Question | None:
    """What the second page asked. None: nothing that waits, or somebody else was asked."""
    if said.get("of") != digest(person.session.sid):
        return None
    found = services().devices.find_waiting(str(said.get("name", "")))
    return _question(found, str(said.get("code", "")), person, said) if found is not None else None


def _wants_password(question: Question, person: Person) -> bool:
    """OpenID Connect Dynamic Client Registration 1.0 section 2, `default_max_age`: a device can't name another age."""
    max_age_s = question.client.metadata.default_max_age
    return is_too_old(question.said, person.session, max_age_s, services().clock.now())


def _ask_password(question: Question) -> Response:
    """At the one place where passwords are checked; `go_on` comes next."""
    client = question.client
    wishes = {"max_age": str(client.metadata.default_max_age)}
    sealed = hand_over(DEVICE, wishes, client.client_id, services().clock.now(), question.said)
    return see_other(f"/sign-in?{urlencode({'request': sealed})}")


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
    if _wants_password(question, person):
        # Before the question, so that the answer is the last thing that is asked for.
        return _ask_password(question)
    page = render_template(
        "device_confirm.html",
        person=person,
        question=question,
        face=show_face(question.client),
        items=in_words(wish_of(question.client, question.found.asking.scope, ()), question.client),
    )
    return make_response(page)
