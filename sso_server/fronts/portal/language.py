"""The language switch: it keeps the page and what a site asked for. A GET is enough: only words change."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, NotFound

from sso_server.core.errors import InvalidRequest
from sso_server.core.records import record
from sso_server.fronts.portal.forms import read_form, read_query
from sso_server.web.cookies import set_language_cookie
from sso_server.web.language import LANGUAGES, select_locale
from sso_server.web.responses import see_other

blueprint = Blueprint("language", __name__)

#: The pages that the switch may lead back to, fixed: an address in a parameter must not lead out of this list.
_PAGES = (
    "/", "/sign-in", "/go-on", "/consent", "/sign-out", "/signed-out", "/sessions", "/apps", "/password", "/setup",
    "/device", "/device/continue", "/admin/sign-outs",
)  # fmt: skip
#: Where a form is posted to, and the page that shows it.
_PAGE_OF = {
    "/sessions/end": "/sessions", "/apps/remove": "/apps", "/signed-out/again": "/signed-out",
    "/device/answer": "/device",
}  # fmt: skip
#: What a posted form carries besides what was typed.
_CARRIED = ("request", "then", "token", "of")
_READING = ("GET", "HEAD")
_TAGS = {"en": "en", "zh_Hans_CN": "zh-Hans"}


@record
class Choice:
    """One language of the switch."""

    code: str
    name: str
    tag: str
    href: str
    chosen: bool


@blueprint.get("/language")
def choose() -> ResponseReturnValue:
    """Remember the language and return to the page."""
    values = read_query(request)
    if values.get("to") not in LANGUAGES:
        raise NotFound
    try:
        back = urlsplit(values.get("back", ""))
    except ValueError:
        back = urlsplit("/")
    path = back.path if back.path in _PAGES and not back.netloc and not back.scheme else "/"
    # The wish that came with the address would win over the choice just made.
    query = urlencode([(k, v) for k, v in parse_qsl(back.query) if k != "ui_locales"])
    response = see_other(f"{path}?{query}" if query else path)
    set_language_cookie(response, values["to"])
    return response


@blueprint.app_template_global()
def language_choices() -> list[Choice]:
    """For the foot of every page that has an address to come back to; empty on others."""
    page = request.path if request.path in _PAGES else _PAGE_OF.get(request.path, "")
    if not page and request.method not in _READING:
        return []
    now = select_locale()
    address = _by_cookie(page) if page else _by_wish()
    return [Choice(code, name, _TAGS[code], address(code), code == now) for code, name in LANGUAGES.items()]


def _by_cookie(page: str) -> Callable[[str], str]:
    kept = request.args.to_dict() if request.method in _READING else _carried()
    # A sealed request is long: escaped once for all languages.
    back = urlencode({"back": f"{page}?{urlencode(kept)}" if kept else page})
    return lambda code: f"/language?to={code}&{back}"


def _by_wish() -> Callable[[str], str]:
    """The same address again, e.g. of an error page. Only a query: whatever a stranger's path is, it leads nowhere."""
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "ui_locales"]
    return lambda code: "?" + urlencode([*kept, ("ui_locales", _TAGS[code])])


def _carried() -> dict[str, str]:
    try:
        return {name: value for name, value in (read_query(request) | read_form(request)).items() if name in _CARRIED}
    except (InvalidRequest, HTTPException):
        # This is the page that says so, and it must not fail over the same form once more.
        return {}
