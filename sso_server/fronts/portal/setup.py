"""The first administrator, by the one-time link that whoever runs the server was shown. Without it: 404."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from werkzeug.exceptions import NotFound

from sso_server.core.errors import InvalidRequest, Refused
from sso_server.core.records import record
from sso_server.core.setup import is_valid, redeem
from sso_server.core.users import PASSWORD_MIN, check_username
from sso_server.fronts.portal.browser import open_session, read_browser, set_browser, set_session
from sso_server.fronts.portal.forms import PRESS_ONCE_MORE, Problem, asks_again, read_form, read_query
from sso_server.fronts.portal.password import new_password_problem
from sso_server.web.responses import see_other
from sso_server.web.services import services

blueprint = Blueprint("setup", __name__)
_MAX_TEXT = 200

_BAD_NAME = lazy_gettext("A user name has 1 to 64 characters that can be seen, without spaces or slashes.")
_TAKEN = lazy_gettext("This user name is taken. Please choose another one.")


@record
class Form:
    """What the page shows again."""

    token: str
    username: str = ""
    name: str = ""


@blueprint.get("/setup")
def show() -> ResponseReturnValue:
    """Ask. Looking doesn't spend the link: mail scanners and previews look, too."""
    token = read_query(request).get("token", "")
    _demand(token)
    return _page(Form(token))


@blueprint.post("/setup")
def submit() -> ResponseReturnValue:
    """Make the administrator and sign them in."""
    values = read_form(request)
    form = _form_from(values)
    _demand(form.token)
    problem = _username_problem(form.username) or new_password_problem(values.get("new", ""), values.get("repeat", ""))
    if problem is not None:
        return _page(form, problem, 400)
    core = services()
    try:
        user = redeem(
            form.token,
            lambda: core.accounts.add(
                form.username, values.get("new", ""), name=form.name, is_admin=True, actor="setup"
            ),
            core.one_time,
            core.users,
            core.clock,
        )
    except Refused:
        return _page(form, Problem(_TAKEN, ("username",)), 400)
    if user is None:
        raise NotFound
    browser = read_browser(request)
    signed_in = open_session(user, browser, request, remember=False)
    return set_session(see_other("/sessions?done=setup"), signed_in, browser)


@asks_again(blueprint)
def renew() -> ResponseReturnValue:
    """The form's cookie is gone: ask again with a fresh token."""
    form = _form_from(read_form(request))
    _demand(form.token)
    return _page(form, Problem(PRESS_ONCE_MORE), 400)


def _demand(token: str) -> None:
    core = services()
    if not is_valid(token, core.one_time, core.users, core.clock):
        raise NotFound


def _form_from(values: dict[str, str]) -> Form:
    return Form(values.get("token", ""), values.get("username", "")[:_MAX_TEXT], values.get("name", "")[:_MAX_TEXT])


def _username_problem(username: str) -> Problem | None:
    try:
        check_username(username)
    except InvalidRequest:
        return Problem(_BAD_NAME, ("username",))
    return None


def _page(form: Form, problem: Problem | None = None, status: int = 200) -> Response:
    page = render_template("setup.html", form=form, problem=problem, minimum=PASSWORD_MIN)
    return set_browser(make_response(page, status), read_browser(request))
