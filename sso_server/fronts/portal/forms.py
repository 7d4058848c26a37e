"""Reading what a page sent, and the sentences that say what was wrong with it."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Request
from flask.typing import ResponseReturnValue
from flask_babel import LazyString, lazy_gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from sso_server.core.errors import LockstepError
from sso_server.core.records import record
from sso_server.web.errors import page_of
from sso_server.web.params import MAX_BODY, read_all

_View = Callable[[], ResponseReturnValue]

#: A sealed request is longer than its parameters; a megabyte in a field is refused before anybody looks at it.
_MAX_VALUE = 16_000
_MAX_TOTAL = 24_000

#: The form's token didn't fit: the page was open for so long that its cookie is gone, or the cookie was cut.
PRESS_ONCE_MORE = lazy_gettext(
    "This page had been open for too long. Nothing was done yet: please press the button once more."
)


@record
class Problem:
    """Why the page comes again. `fields` are marked as invalid; the first of them gets the focus."""

    text: LazyString | str
    fields: tuple[str, ...] = ()


def read_form(request: Request) -> dict[str, str]:
    """The posted fields, each at most once. Raises InvalidRequest, RequestEntityTooLarge."""
    if (request.content_length or 0) > MAX_BODY:
        raise RequestEntityTooLarge
    return read_all(request.form, max_value=_MAX_VALUE, max_total=_MAX_TOTAL)


def read_query(request: Request) -> dict[str, str]:
    """The query's parameters, each at most once. Raises InvalidRequest."""
    return read_all(request.args, max_value=_MAX_VALUE, max_total=_MAX_TOTAL)


def asks_again(blueprint: Blueprint) -> Callable[[_View], _View]:
    """The decorated view answers where a form's token doesn't fit, instead of the view that the form was for."""

    def register(view: _View) -> _View:
        def answer(_: CSRFError) -> ResponseReturnValue:
            try:
                return view()
            except (LockstepError, HTTPException) as error:
                # This is an error handler already: Flask would look for no other, and answer 500.
                return page_of(error)

        blueprint.register_error_handler(CSRFError, answer)
        return view

    return register
