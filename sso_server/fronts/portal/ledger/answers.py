"""A site's last answer in words, and what to do about it: the page's counterpart to `core.logout_cures`, which speaks
to the command line and goes further. Each is in the reader's language.
"""

from __future__ import annotations

from flask_babel import LazyString, gettext, lazy_gettext

from sso_server.core.notifications import POLL_REFUSAL, Notification, State
from sso_server.fronts.portal.ledger.words import giver_in_words

_OF_ERROR: dict[str, tuple[LazyString, LazyString]] = {
    "dns": (lazy_gettext("No address for its host name"), lazy_gettext("Look for a typing error, then at the DNS.")),
    "connect": (
        lazy_gettext("Nobody took the connection"),
        lazy_gettext("Is the site running? Is the port right? Does a firewall refuse the call?"),
    ),
    "timeout": (
        lazy_gettext("No answer in time"),
        lazy_gettext("The site is slow, or a firewall drops the call without a word."),
    ),
    "tls": (
        lazy_gettext("Its certificate doesn't hold"),
        lazy_gettext("It is expired, for another name, or from an authority that isn't trusted here."),
    ),
    "reset": (
        lazy_gettext("It hung up without an answer"),
        lazy_gettext("http where it speaks https, or the reverse; or a proxy cuts the call off."),
    ),
    "protocol": (
        lazy_gettext("Its answer is no HTTP, or far too long"),
        lazy_gettext("Does something else listen on that port?"),
    ),
    "address_forbidden": (
        lazy_gettext("The centre may not call that address"),
        lazy_gettext("It is on loopback, in a private network, or in a range that is never called."),
    ),
    "http_forbidden": (
        lazy_gettext("The centre may not call there without https"),
        lazy_gettext("Give the site a logout address with https."),
    ),
    "url_forbidden": (
        lazy_gettext("Its logout address can't be called"),
        lazy_gettext("Register a plain http or https address."),
    ),
    "other_store": (
        lazy_gettext("Another host of the site answered"),
        lazy_gettext("This one hears of it when it next checks in."),
    ),
    "no_address_now": (
        lazy_gettext("It has no logout address any more"),
        lazy_gettext("Register one, or let it ask for its sign-outs."),
    ),
    "centre_failed": (
        lazy_gettext("The centre itself failed"),
        lazy_gettext("The log of the delivery process says why."),
    ),
}
_OF_STATUS: dict[int, tuple[LazyString, LazyString]] = {
    400: (
        lazy_gettext("It refused the token"),
        lazy_gettext("Compare issuer, audience and clocks, and let it fetch the keys anew."),
    ),
    401: (lazy_gettext("It asked for credentials"), lazy_gettext("Exempt its logout address from the login.")),
    403: (
        lazy_gettext("It forbade the call"),
        lazy_gettext("Exempt its logout address from CSRF checks, the login and address filters."),
    ),
    404: (lazy_gettext("Nothing is there"), lazy_gettext("Compare the registered path with the site's own.")),
    405: (
        lazy_gettext("It takes no POST there"),
        lazy_gettext("Register its back-channel logout address, not a page."),
    ),
    408: (lazy_gettext("It waited too long for the call"), lazy_gettext("Does a proxy hold requests back?")),
    410: (lazy_gettext("Nothing is there any more"), lazy_gettext("Register its present logout address.")),
    413: (lazy_gettext("It finds the call too large"), lazy_gettext("Let it take a form of 16 KiB there.")),
    415: (
        lazy_gettext("It doesn't take a form"),
        lazy_gettext("The standard prescribes one for this call; mend the site."),
    ),
    429: (lazy_gettext("It takes too few calls"), lazy_gettext("Exempt the centre from its rate limit.")),
}
_NO_LOGOUT_REQUESTS = lazy_gettext("Let its CAS client take logout requests before anything there asks for a sign-in.")
#: Where a CAS site without our SDK needs other words: no token, and usually no address of its own for the call.
_OF_CAS_ERROR = {
    "no_address_now": (_OF_ERROR["no_address_now"][0], lazy_gettext("Register that service again, or an address.")),
}
_OF_CAS_STATUS = {
    400: (lazy_gettext("It refused the call"), _NO_LOGOUT_REQUESTS),
    405: (_OF_STATUS[405][0], _NO_LOGOUT_REQUESTS),
}
_REDIRECT = (
    lazy_gettext("It sent the call elsewhere"),
    lazy_gettext("The centre follows no redirects: register the final address."),
)
_FAILED = (lazy_gettext("The site failed"), lazy_gettext("Its own log says why."))
_ODD = (lazy_gettext("An answer that nobody foresaw"), lazy_gettext("The site's own log may say why."))


def answer_in_words(row: Notification) -> tuple[str, str]:
    """What came of the last attempt, and the cure; both empty where nothing went wrong yet."""
    code = row.last_error.partition("/")[0]
    if row.state is State.NO_ADDRESS:
        what, cure = gettext("It has no logout address"), _OF_ERROR["no_address_now"][1]
    elif row.state is State.ACKNOWLEDGED or not (code or row.last_status):
        return "", ""
    elif code.startswith("by:"):
        what, cure = gettext("%(who)s gave it up", who=giver_in_words(code.removeprefix("by:"))), ""
    elif code.startswith(POLL_REFUSAL):
        what = gettext("When it asked, it refused: %(code)s", code=code.removeprefix(POLL_REFUSAL))
        cure = gettext("Its own log says why.")
    else:
        what, cure = _of_call(code, row.last_status, is_cas=bool(row.ticket))
    with_status = row.last_status is not None and (not code or code.startswith("http_"))
    return f"{what} ({row.last_status})" if with_status else str(what), str(cure)


def was_called_in_vain(row: Notification) -> bool:
    """Whether the last that is known of a row is a call that failed."""
    code = row.last_error.partition(":")[0]
    return row.state is not State.ACKNOWLEDGED and bool(code) and code not in ("by", POLL_REFUSAL.rstrip(":"))


def _of_call(code: str, status: int | None, *, is_cas: bool) -> tuple[object, object]:
    of_error = {**_OF_ERROR, **_OF_CAS_ERROR} if is_cas else _OF_ERROR
    of_status = {**_OF_STATUS, **_OF_CAS_STATUS} if is_cas else _OF_STATUS
    if code in of_error:
        return of_error[code]
    digits = code.removeprefix("http_")
    number = int(digits) if digits.isdecimal() else status or 0
    if number in of_status:
        return of_status[number]
    if 300 <= number < 400:
        return (_REDIRECT[0], _NO_LOGOUT_REQUESTS) if is_cas else _REDIRECT
    return _FAILED if number >= 500 else _ODD
