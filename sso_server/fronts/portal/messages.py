"""The words of the error page: for each code what happened and what to do. Codes are the core's and `http_<status>`."""

from __future__ import annotations

from flask import Blueprint
from flask_babel import LazyString, lazy_gettext

from sso_server.core.records import record
from sso_server.fronts.portal.times import wait_words

blueprint = Blueprint("messages", __name__)
_START_AGAIN = lazy_gettext("Go back to the site you came from and start again from there.")
_TELL = lazy_gettext("If it happens again, tell the people who run this service, with the number below.")


@record
class Message:
    """What happened, as a heading and in a sentence, and what to do now."""

    title: LazyString
    text: LazyString
    remedy: LazyString
    says_all: bool = False
    """The error's own description, which programs read, would tell a developer no more."""


_UNKNOWN = Message(
    lazy_gettext("That didn't work"),
    lazy_gettext("This service couldn't do what was asked of it."),
    _TELL,
)
_BAD_REQUEST = Message(
    lazy_gettext("The request isn't right"),
    lazy_gettext("Something that this service needs is missing, repeated or damaged."),
    _START_AGAIN,
)
_FORBIDDEN = Message(
    lazy_gettext("That isn't allowed"),
    lazy_gettext("This service understood what was asked, and may not do it."),
    _TELL,
)

MESSAGES = {
    "invalid_request": _BAD_REQUEST,
    "http_400": _BAD_REQUEST,
    "invalid_request_object": _BAD_REQUEST,
    "request_not_supported": _BAD_REQUEST,
    "request_uri_not_supported": _BAD_REQUEST,
    "redirect_uri_mismatch": Message(
        lazy_gettext("The return address isn't registered"),
        lazy_gettext(
            "The site asked to return to an address that nobody registered for it, so you were not sent there."
        ),
        lazy_gettext("The people who run the site have to register the address. Nothing is wrong with your account."),
    ),
    "invalid_request_uri": Message(
        lazy_gettext("This way to sign in is over"),
        lazy_gettext("The site's request was answered already, or it waited for too long."),
        _START_AGAIN,
    ),
    "service_unknown": Message(
        lazy_gettext("The site isn't registered"),
        lazy_gettext("A site that nobody registered here asked who you are, so you were not sent back to it."),
        lazy_gettext("The people who run the site have to register it. Nothing is wrong with your account."),
    ),
    "invalid_client": Message(
        lazy_gettext("The site isn't known here"),
        lazy_gettext("The site that sent you here isn't registered, or couldn't prove who it is."),
        lazy_gettext("The people who run the site have to register it. Nothing is wrong with your account."),
    ),
    "unauthorized_client": _FORBIDDEN,
    "refused": _FORBIDDEN,
    "http_403": _FORBIDDEN,
    "administrators_only": Message(
        lazy_gettext("Only for administrators"),
        lazy_gettext("The account that you are signed in with isn't an administrator's."),
        lazy_gettext("Sign out and sign in with another account, or ask the people who run this service."),
        says_all=True,
    ),
    "http_404": Message(
        lazy_gettext("This page doesn't exist"),
        lazy_gettext("The address may be mistyped, or the link may be old or already used."),
        lazy_gettext("Check the address, or go on from the start page."),
    ),
    "http_405": Message(
        lazy_gettext("That can't be done here"),
        lazy_gettext("The page exists, but not for this kind of request."),
        lazy_gettext("Go back, or go on from the start page."),
    ),
    "http_413": Message(
        lazy_gettext("That was too much"),
        lazy_gettext("More was sent than this page takes. Nothing of it was kept."),
        lazy_gettext("Go back and send less."),
    ),
    "wrong_credentials": Message(
        lazy_gettext("You could not be signed in"),
        lazy_gettext("The account changed while you were signing in."),
        lazy_gettext("Please sign in again."),
    ),
    "password_changed": Message(
        lazy_gettext("Your password is changed"),
        lazy_gettext(
            "A part of this service can't be reached right now, so this browser is signed out like your other devices."
        ),
        lazy_gettext("Please sign in with the new password."),
    ),
    "too_many_guesses": Message(
        lazy_gettext("Too many attempts"),
        lazy_gettext("Sign-in is slowed down for a while, to keep guessers out."),
        lazy_gettext("Please wait a little and try again."),
    ),
    "temporarily_unavailable": Message(
        lazy_gettext("Please wait a moment"),
        lazy_gettext("A part of this service can't be reached right now. Nothing was lost."),
        lazy_gettext("Try again in a moment: reload this page, or go back and press the button again."),
    ),
    "server_error": Message(
        lazy_gettext("Something went wrong here"),
        lazy_gettext("That was this service's fault, not yours. It is in the log under the number below."),
        _TELL,
    ),
}
_SAME_AS = {"http_500": "server_error", "http_503": "temporarily_unavailable", "http_429": "too_many_guesses"}


@blueprint.app_template_global()
def message_for(code: str) -> Message:
    """The message of a code; a general one for a code without its own."""
    return MESSAGES.get(_SAME_AS.get(code, code), _UNKNOWN)


blueprint.add_app_template_global(wait_words)
