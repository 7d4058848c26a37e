"""Reading request parameters: each at most once, empty means absent, sizes capped (RFC 6749 section 3.1)."""

from __future__ import annotations

from flask import Request
from werkzeug.datastructures import MultiDict

from sso_server.core.errors import InvalidRequest
from sso_server.core.writable import is_writable

MAX_VALUE = 4096
MAX_TOTAL = 6000
#: Parameters that may be sent more than once (RFC 8707 section 2, RFC 8693 section 2.1): their values are read as one
#: text, parted by spaces. No URI and no client id has any.
REPEATABLE = frozenset({"resource", "audience"})
#: bytes of a form: more than the longest that is allowed, every character of it percent-encoded
MAX_BODY = 100_000


def read_params(
    request: Request, *, repeatable: tuple[str, ...] = (), max_value: int = MAX_VALUE, max_total: int = MAX_TOTAL
) -> dict[str, str]:
    """Query for GET, form for POST; the rest as `read_all`. Raises InvalidRequest, RequestEntityTooLarge."""
    if request.method != "POST":
        return read_all(request.args, repeatable=repeatable, max_value=max_value, max_total=max_total)
    request.max_content_length = MAX_BODY
    return read_all(request.form, repeatable=repeatable, max_value=max_value, max_total=max_total)


def read_all(
    source: MultiDict[str, str],
    *,
    max_value: int = MAX_VALUE,
    max_total: int = MAX_TOTAL,
    repeatable: tuple[str, ...] = (),
) -> dict[str, str]:
    """Every parameter of the source, once. Raises InvalidRequest for a repeated or oversized one, or one with a NUL.

    `repeatable`: parameters that may be repeated, by specifications of their own (RFC 8707 section 2, RFC 8693 section
    2.1); their values come as one text, parted by spaces, which none of them has.
    """
    values: dict[str, str] = {}
    total = 0
    for name, given in source.lists():
        value = given[0] if name not in repeatable else " ".join(given).strip()
        if len(given) > 1 and name not in repeatable:
            # RFC 6749 section 3.1: parameters must not be included more than once.
            raise InvalidRequest("A parameter is repeated.", detail=f"repeated: {name[:80]!r}")
        total += len(name) + len(value)
        if len(value) > max_value or total > max_total:
            raise InvalidRequest("The request is too large.", detail=f"too large: {name[:80]!r}")
        if not value.isprintable() and not is_writable(value):
            # RFC 6749 appendix A: no parameter has any.
            raise InvalidRequest("A parameter holds characters that can't be kept.", detail=f"in: {name[:80]!r}")
        if value != "":
            values[name] = value
    return values
