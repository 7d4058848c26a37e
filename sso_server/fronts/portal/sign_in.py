"""The sign-in page: one form, any age of it works, nothing typed is lost but the password, which never comes back."""

from __future__ import annotations

from dataclasses import field, replace

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from sso_server.core.errors import LockstepError, TooManyGuesses, Unavailable, WrongCredentials
from sso_server.core.records import record
from sso_server.core.sessions import EndReason
from sso_server.core.sign_in import SignedIn
from sso_server.core.users import PASSWORD_MAX_BYTES
from sso_server.fronts.portal.asking import Asking, allow_return, read_asking, with_password
from sso_server.fronts.portal.browser import Browser, open_session, read_browser, set_browser, set_session, visitor_for
from sso_server.fronts.portal.client_face import show_face
from sso_server.fronts.portal.forms import Problem, asks_again, read_form, read_query
from sso_server.fronts.portal.people import Person, find_person, find_person_quietly, page_after_sign_in
from sso_server.fronts.portal.standings import REASONS
from sso_server.fronts.portal.times import wait_words
from sso_server.web.cookies import browser_cookie, clear_warn_cookie, session_cookie, set_warn_cookie, warn_cookie
from sso_server.web.errors import log_error, retry_after_of, status_of
from sso_server.web.responses import see_other
from sso_server.web.services import services
from sso_server.web.typed import is_too_old

blueprint = Blueprint("sign_in", __name__)
_MAX_USERNAME = 256

_ONCE_MORE = lazy_gettext(
    "This page had been open for too long. Please type your password and press Sign in once more."
)
_NO_COOKIES = lazy_gettext(
    "Your browser doesn't keep cookies from this page. Please allow them and press Sign in once more."
)
_WRONG = lazy_gettext("The user name or the password is wrong. Check both and try again.")


@record
class Form:
    """What the page shows again: everything typed, except the password."""

    asking: Asking = field(default_factory=Asking)
    username: str = ""
    remember: bool = False
    warn: bool = False
    then: str = ""
    tried_again: bool = False
    """The form's token already failed once before."""


@blueprint.before_request
def _take_turn() -> None:
    # A crowd that signs in must not stand between a session check and the interpreter.
    services().turns.take()


@blueprint.teardown_request
def _give_turn_back(_: BaseException | None) -> None:
    services().turns.give_back()


@blueprint.get("/sign-in")
def show() -> ResponseReturnValue:
    """Ask. Somebody who is signed in and whom no site sent has nothing to do here."""
    form = _form_from(read_query(request))
    person = find_person()
    if person is not None and not form.asking.sealed:
        return see_other(page_after_sign_in(form.then) or "/")
    return _page(form, person, notice=_why_ended(person))


@blueprint.post("/sign-in")
def submit() -> ResponseReturnValue:
    """Check the password, open the session, go on to the site that asked."""
    values = _posted()
    form = _form_from(values)
    browser = read_browser(request)
    try:
        signed_in = _sign_in(form, values.get("password", ""), browser)
    except (WrongCredentials, TooManyGuesses, Unavailable) as error:
        return _refuse(form, error)
    goes_on = page_after_sign_in(form.then) or "/"
    if form.asking.sealed:
        goes_on = with_password(form.asking, signed_in.session, services().clock.now()).goes_on_at
    response = set_session(see_other(goes_on), signed_in, browser)
    if form.warn:
        set_warn_cookie(response, remembered=signed_in.session.remembered)
    elif form.asking.by_cas:
        clear_warn_cookie(response)
    return response


@asks_again(blueprint)
def renew() -> ResponseReturnValue:
    """The form's cookie is gone or cut: the same page with a fresh token, ready for a second press."""
    # Forms are checked before anything of this blueprint's is asked: `_take_turn` has not run.
    services().turns.take()
    form = _form_from(_posted())
    person = find_person_quietly()
    lost = form.tried_again and browser_cookie(request) is None
    problem = Problem(_NO_COOKIES if lost else _ONCE_MORE, ("password",))
    return _page(replace(form, tried_again=True), person, problem, 400)


def _posted() -> dict[str, str]:
    """The form; one that came by /cas/login brings its request in the address."""
    values = read_form(request)
    return {"request": read_query(request).get("request", "")} | values


def _form_from(values: dict[str, str]) -> Form:
    asking = read_asking(values.get("request", ""))
    username = values.get("username", "")
    ticks = {"remember", "rememberMe"} if asking.by_cas else {"remember"}
    return Form(
        asking=asking,
        username=(username or asking.login_hint)[:_MAX_USERNAME],
        # CAS 3.0.3 section 2.2.1 has its own name for the tick.
        remember=not ticks.isdisjoint(values) and services().site.offer_remember,
        warn=asking.by_cas and ("warn" in values or (request.method == "GET" and bool(warn_cookie(request)))),
        then=values.get("then", "") if page_after_sign_in(values.get("then", "")) else "",
        tried_again="again" in values,
    )


def _sign_in(form: Form, password: str, browser: Browser) -> SignedIn:
    typed = request.form.get("username", "")
    if not typed.strip() or not password:
        raise WrongCredentials("Something is missing.")
    if len(typed) > _MAX_USERNAME or len(password.encode("utf-8", "surrogatepass")) > PASSWORD_MAX_BYTES:
        # No account has such a name or password: no hash, and nothing learnt, whatever the account.
        raise WrongCredentials("No user name or password is like this.")
    user = services().sign_in.authenticate(typed, password, visitor_for(browser, typed))
    return open_session(user, browser, request, remember=form.remember)


def _refuse(form: Form, error: LockstepError) -> Response:
    status = status_of(error)
    log_error(error, status)
    fields: tuple[str, ...] = ()
    if isinstance(error, TooManyGuesses):
        wait = wait_words(-(-error.retry_after_ms // 1000))
        text = gettext("Too many attempts. Please try again in %(wait)s.", wait=wait)
    elif isinstance(error, Unavailable):
        wait = wait_words(error.retry_after_s)
        text = gettext("Nobody can be signed in right now. Nothing was lost: please try again in %(wait)s.", wait=wait)
    else:
        text, fields = _WRONG, ("username", "password")
    person = None if isinstance(error, Unavailable) else find_person_quietly()
    response = _page(form, person, Problem(text, fields), status)
    response.headers.update(retry_after_of(error))
    return response


def _page(
    form: Form, person: Person | None, problem: Problem | None = None, status: int = 200, notice: object = None
) -> Response:
    allow_return(form.asking)
    # Whether the age of the password is enough for the site to ask again.
    now = services().clock.now()
    too_old = person is not None and is_too_old({}, person.session, form.asking.max_age_s, now)
    must_type = person is not None and (too_old or person.session.auth_time < form.asking.asked_at)
    response = make_response(
        render_template(
            "sign_in.html",
            form=form,
            face=show_face(form.asking.client) if form.asking.client else None,
            username=form.username or (person.user.username if person and must_type else ""),
            person=person,
            # Signed in in another tab since the site asked: it is satisfied, unless it wants the password for itself.
            can_go_on=person is not None and bool(form.asking.sealed) and not must_type,
            is_too_old=too_old,
            problem=problem,
            notice=notice,
        ),
        status,
    )
    return set_browser(response, read_browser(request))


def _why_ended(person: Person | None) -> object:
    """Somebody whose session ended by itself is told why, once they are asked again."""
    ended = services().sign_in.find_any_session(session_cookie(request)) if person is None else None
    reason = ended.end_reason if ended is not None else None
    return REASONS.get(EndReason(reason)) if reason else None
