"""My sessions: each device in words with the sites it opened; end this, that or all others. Also the home page."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from werkzeug.exceptions import NotFound

from sso_server.core.clients import Client
from sso_server.core.errors import Unavailable
from sso_server.core.records import record
from sso_server.core.sessions import EndReason, Session
from sso_server.fronts.portal.asking import home_of
from sso_server.fronts.portal.client_face import name_of
from sso_server.fronts.portal.devices import device_in_words
from sso_server.fronts.portal.everywhere import sign_out_everywhere
from sso_server.fronts.portal.forms import PRESS_ONCE_MORE, Problem, asks_again, read_form, read_query
from sso_server.fronts.portal.people import Person, find_person_quietly, login_required
from sso_server.fronts.portal.signed_out import page_of, read_of
from sso_server.fronts.portal.times import Moment, moment
from sso_server.web.cookies import clear_session_cookie
from sso_server.web.errors import error_page
from sso_server.web.responses import see_other
from sso_server.web.services import services

blueprint = Blueprint("sessions", __name__)
_MAX_SHOWN = 100

#: What just happened, named by a code in the address: no state, and a reload says it again without doing it again.
_DONE = {
    "device": lazy_gettext("That device is signed out."),
    "others": lazy_gettext("All your other devices are signed out."),
    "password": lazy_gettext("Your password is changed. All your other devices are signed out."),
    "setup": lazy_gettext("Your account is ready. You are an administrator."),
}
#: Instead, while a delivery process has yet to end the last of the others; and while nobody can say.
_BEGUN = {
    "others": lazy_gettext("Your other devices are being signed out."),
    "password": lazy_gettext("Your password is changed. Your other devices are being signed out."),
}


@record
class Device:
    """One session as its person sees it."""

    session: Session
    words: str
    first_seen: Moment
    last_seen: Moment
    is_this: bool
    sites: tuple[tuple[str, str], ...]
    """Name and start page of each site it opened; the address called at a sign-out is nobody's business here."""


@blueprint.get("/")
@blueprint.get("/sessions", endpoint="list")
@login_required
def show(person: Person) -> ResponseReturnValue:
    """The list, this device first."""
    query = read_query(request)
    sealed = query.get("of", "")
    of = read_of(sealed)
    report = f"/signed-out?{urlencode({'of': sealed})}" if of is not None and of.elsewhere else ""
    done = query.get("done", "")
    try:
        return _page(person, done=done, report=report)
    except Unavailable as error:
        # Nobody must take for undone what was done right before.
        return error_page(error, done=_BEGUN.get(done) or _DONE.get(done))


@blueprint.post("/sessions/end")
@login_required
def end(person: Person) -> ResponseReturnValue:
    """End one session of one's own, or all others."""
    values = read_form(request)
    if values.get("sid") == person.session.sid:
        services().sign_out.end(person.session.sid, EndReason.SIGN_OUT, actor="user")
        response = see_other(page_of(person.session.sid))
        clear_session_cookie(response)
        return response
    if values.get("others"):
        since, kept = services().clock.now(), person.session.sid
        sign_out_everywhere(person.user.user_id, keep_sid=kept)
        return _listed("others", page_of(kept, elsewhere=True, user_id=person.user.user_id, since=since))
    sid = values.get("sid", "")
    if not _is_own(sid, person):
        # The same answer for somebody else's and for none: nothing is told about sessions that aren't one's own.
        raise NotFound
    services().sign_out.end(sid, EndReason.SIGN_OUT, actor="user")
    return _listed("device", page_of(sid, elsewhere=True))


def _listed(done: str, report: str) -> ResponseReturnValue:
    """Back to the list, which says what was done and leads to its report."""
    return see_other(f"/sessions?done={done}&{report.partition('?')[2]}")


@asks_again(blueprint)
def renew() -> ResponseReturnValue:
    """The form's cookie is gone: the list again with fresh tokens."""
    person = find_person_quietly()
    return _page(person, problem=Problem(PRESS_ONCE_MORE), status=400) if person is not None else see_other("/sign-in")


def _page(
    person: Person, *, done: str = "", report: str = "", problem: Problem | None = None, status: int = 200
) -> ResponseReturnValue:
    now = services().clock.now()
    devices = [_device(session, person, now) for session in _live(person) if session.is_live(now)]
    devices.sort(key=lambda device: (not device.is_this, -device.session.last_active_at))
    # Opened before the account's last change that ends sessions: an order has yet to come to it.
    is_ending = any(not one.is_this and one.session.user_version < person.user.version for one in devices)
    words = (_BEGUN.get(done) if is_ending else None) or _DONE.get(done)
    page = render_template("sessions.html", person=person, devices=devices, done=words, report=report, problem=problem)
    return make_response(page, status)


def _live(person: Person) -> list[Session]:
    return services().lists.list_live(services().clock.now(), _MAX_SHOWN, user_id=person.user.user_id)


def _is_own(sid: str, person: Person) -> bool:
    if any(session.sid == sid for session in _live(person)):
        return True
    # Ended a moment ago, by a second click or by the device itself.
    ended = services().ledger.list_ended(_MAX_SHOWN, user_id=person.user.user_id)
    return any(session.sid == sid for session in ended)


def _device(session: Session, person: Person, now: int) -> Device:
    # Two stores of one site are one site to its visitors.
    ids = dict.fromkeys(participant.client_id for participant in services().lists.participants(session.sid))
    clients = [(client_id, services().clients.find(client_id)) for client_id in ids]
    sites = tuple(_named(client) if client else (client_id, "") for client_id, client in clients)
    return Device(
        session,
        device_in_words(session.user_agent),
        moment(session.created_at, now),
        # This page is served to this very device: its coarse record may be older.
        moment(now if session.sid == person.session.sid else session.last_active_at, now),
        session.sid == person.session.sid,
        sites,
    )


def _named(client: Client) -> tuple[str, str]:
    return name_of(client), home_of(client)
