"""Reading what a page sent, and the sentences that say what was wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Request
from flask_babel import LazyString, lazy_gettext
from werkzeug.exceptions import RequestEntityTooLarge

from sso_server.web.params import read_all

#: A sealed request is longer than its parameters; a megabyte in a field is refused before anybody looks at it.
_MAX_VALUE = 16_000
_MAX_TOTAL = 24_000
_MAX_BODY = 100_000

#: The form's token didn't fit: the page was open for so long that its cookie is gone, or the cookie was cut.
PRESS_ONCE_MORE = lazy_gettext(
    "This page had been open for too long. Nothing was done yet: please press the button once more."
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the page comes again. `fields` are marked as invalid; the first of them gets the focus."""

    text: LazyString | str
    fields: tuple[str, ...] = ()


def read_form(request: Request) -> dict[str, str]:
    """The posted fields, each at most once. Raises InvalidRequest, RequestEntityTooLarge."""
    if (request.content_length or 0) > _MAX_BODY:
        raise RequestEntityTooLarge
    return read_all(request.form, max_value=_MAX_VALUE, max_total=_MAX_TOTAL)


def read_query(request: Request) -> dict[str, str]:
    """The query's parameters, each at most once. Raises InvalidRequest."""
    return read_all(request.args, max_value=_MAX_VALUE, max_total=_MAX_TOTAL)
