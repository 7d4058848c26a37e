"""Change the password: the present one is asked, guesses are slowed as at sign-in, other devices are signed out."""

from __future__ import annotations

import contextlib

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from sso_server.core.errors import (
    InvalidRequest,
    LockstepError,
    Refused,
    TooManyGuesses,
    Unavailable,
    WrongCredentials,
)
from sso_server.core.users import PASSWORD_MIN, User, check_password
from sso_server.fronts.portal.browser import Browser, open_session, read_browser, set_session, visitor_for
from sso_server.fronts.portal.everywhere import sign_out_everywhere
from sso_server.fronts.portal.forms import PRESS_ONCE_MORE, Problem, asks_again, read_form
from sso_server.fronts.portal.people import Person, find_person_quietly, login_required
from sso_server.fronts.portal.times import wait_words
from sso_server.web.cookies import clear_session_cookie
from sso_server.web.errors import error_page, log_error, retry_after_of, status_of
from sso_server.web.responses import see_other
from sso_server.web.services import services

blueprint = Blueprint("password", __name__)

_WRONG = lazy_gettext("The present password is wrong.")
_SAME = lazy_gettext("The new password is the same as the present one.")
_CONFLICT = lazy_gettext("Your account was changed at the same time. Please try again.")


@blueprint.get("/.well-known/change-password")
def well_known() -> ResponseReturnValue:
    """Where password managers look (W3C, A Well-Known URL for Changing Passwords)."""
    response = see_other("/password")
    response.status_code = 302
    return response


@blueprint.get("/password")
@login_required
def show(person: Person) -> ResponseReturnValue:
    """Ask."""
    return _page(person)


@blueprint.post("/password")
@login_required
def change(person: Person) -> ResponseReturnValue:
    """Change it; this browser gets a new cookie, every other device is signed out."""
    values = read_form(request)
    browser = read_browser(request)
    current, new = values.get("current", ""), values.get("new", "")
    problem = new_password_problem(new, values.get("repeat", "")) or (
        Problem(_SAME, ("new",)) if new == current else None
    )
    if problem is not None:
        return _page(person, problem, 400)
    try:
        user = _change(person, browser, current, new)
    except (WrongCredentials, TooManyGuesses, Refused) as error:
        return _refuse(person, error)
    # From here on no answer may send anybody back to try again: the present password is the new one.
    try:
        # Whoever fears that the cookie was copied changes the password: the copy opens nothing from here on.
        signed_in = open_session(user, browser, request, remember=person.session.remembered, old_cookie_ends=True)
    except (WrongCredentials, Unavailable) as error:
        return _leave(person, error)
    return set_session(see_other("/sessions?done=password"), signed_in, browser)


@asks_again(blueprint)
def renew() -> ResponseReturnValue:
    """The form's cookie is gone: ask again with a fresh token."""
    person = find_person_quietly()
    return _page(person, Problem(PRESS_ONCE_MORE), 400) if person is not None else see_other("/sign-in?then=password")


def new_password_problem(new: str, repeat: str) -> Problem | None:
    """What is wrong with a new password typed twice, in words."""
    try:
        check_password(new)
    except InvalidRequest as error:
        text = (
            gettext("The new password needs at least %(num)d characters.", num=PASSWORD_MIN)
            if error.code == "password_too_short"
            else gettext("The new password is too long.")
        )
        return Problem(text, ("new",))
    return None if new == repeat else Problem(gettext("The two new passwords differ."), ("new", "repeat"))


def _change(person: Person, browser: Browser, current: str, new: str) -> User:
    # Guesses at the present password are counted like those at the sign-in page: a borrowed screen is no way around.
    services().sign_in.authenticate(person.user.username, current, visitor_for(browser, person.user.username))
    return services().accounts.change_password(person.user.user_id, current, new, keep_sid=person.session.sid)


def _leave(person: Person, error: WrongCredentials | Unavailable) -> Response:
    """The password is changed, and this browser got no new cookie: it has to sign in again."""
    shown: LockstepError = error
    if isinstance(error, Unavailable):
        # The session was to be kept under another cookie only. The order for it is written in the database, and carried
        # out as soon as the sessions' store is back.
        with contextlib.suppress(Refused, Unavailable):
            sign_out_everywhere(person.user.user_id)
        shown = Unavailable(detail=error.detail, retry_after_s=0, code="password_changed")
    response = error_page(shown)
    clear_session_cookie(response)
    return response


def _refuse(person: Person, error: LockstepError) -> Response:
    status = status_of(error)
    log_error(error, status)
    if isinstance(error, TooManyGuesses):
        wait = wait_words(-(-error.retry_after_ms // 1000))
        problem = Problem(gettext("Too many attempts. Please try again in %(wait)s.", wait=wait))
    elif isinstance(error, Refused):
        problem = Problem(_CONFLICT)
    else:
        problem = Problem(_WRONG, ("current",))
    response = _page(person, problem, status)
    response.headers.update(retry_after_of(error))
    return response


def _page(person: Person, problem: Problem | None = None, status: int = 200) -> Response:
    return make_response(render_template("password.html", person=person, problem=problem, minimum=PASSWORD_MIN), status)
