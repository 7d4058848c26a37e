"""What the CAS endpoints for programs answer, as XML and as JSON (CAS 3.0.3 sections 2.5.2 and 2.7.2, appendix A).

Pure: it knows neither requests nor tickets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape

from sso_server.core.records import record

NAMESPACE = "http://www.yale.edu/tp/cas"
XML, JSON = "application/xml", "application/json"
#: Attributes of a person: name -> values.
Attributes = Mapping[str, Sequence[str]]

# Clients that search the text instead of reading it look for the prefix `cas`.
# XML 1.0 section 2.2: no escape makes these allowed.
# Said by what it is and not by what it isn't: a class of characters that is most of them takes 4 ms to compile.
_FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")


@record
class Body:
    """A body and its media type."""

    text: str
    mimetype: str


@record
class About:
    """What CAS 3 says of every sign-in (section 4.1.3, appendix A). `authenticated_at` in ms."""

    authenticated_at: int
    remembered: bool
    fresh: bool


@record
class Success:
    """A ticket was good."""

    user: str
    about: About | None = None
    """None: the answer has no attributes, as before CAS 3."""
    attributes: Attributes | None = None
    iou: str = ""
    proxies: Sequence[str] = ()
    """The latest first (section 2.6.2)."""


def success(found: Success, *, as_json: bool = False) -> Body:
    """Who it is. The order of the elements is the schema's (appendix A)."""
    if as_json:
        members: dict[str, object] = {"user": found.user}
        if found.about is not None:
            members["attributes"] = {
                "authenticationDate": [instant(found.about.authenticated_at)],
                "longTermAuthenticationRequestTokenUsed": [found.about.remembered],
                "isFromNewLogin": [found.about.fresh],
            } | {name: list(values) for name, values in _released(found)}
        if found.iou:
            members["proxyGrantingTicket"] = found.iou
        if found.proxies:
            members["proxies"] = list(found.proxies)
        return _json("authenticationSuccess", members)
    lines = [_leaf("user", found.user)]
    if found.about is not None:
        attributes = [
            _leaf("authenticationDate", instant(found.about.authenticated_at)),
            _leaf("longTermAuthenticationRequestTokenUsed", _bool(found.about.remembered)),
            _leaf("isFromNewLogin", _bool(found.about.fresh)),
        ]
        attributes += [_leaf(name, value) for name, values in _released(found) for value in values]
        lines += _branch("attributes", attributes)
    if found.iou:
        lines.append(_leaf("proxyGrantingTicket", found.iou))
    if found.proxies:
        lines += _branch("proxies", [_leaf("proxy", proxy) for proxy in found.proxies])
    return _xml(_branch("authenticationSuccess", lines))


def failure(code: str, description: str, *, as_json: bool = False) -> Body:
    """Why a ticket was not good (section 2.5.3)."""
    return _failure("authenticationFailure", code, description, as_json=as_json)


def proxy_success(ticket: str, *, as_json: bool = False) -> Body:
    """A proxy ticket (section 2.7.2)."""
    if as_json:
        return _json("proxySuccess", {"proxyTicket": ticket})
    return _xml(_branch("proxySuccess", [_leaf("proxyTicket", ticket)]))


def proxy_failure(code: str, description: str, *, as_json: bool = False) -> Body:
    """Why there is none (section 2.7.3)."""
    return _failure("proxyFailure", code, description, as_json=as_json)


def instant(at: int) -> str:
    """Milliseconds as `xs:dateTime` in UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def allowed(text: str) -> str:
    """The text without the characters that XML has no form for."""
    return _FORBIDDEN.sub("", text)


def _released(found: Success) -> list[tuple[str, Sequence[str]]]:
    """What may stand beside our own three, under names that are elements' names."""
    own = ("authenticationDate", "longTermAuthenticationRequestTokenUsed", "isFromNewLogin")
    released = (found.attributes or {}).items()
    return [(name, values) for name, values in released if _NAME.fullmatch(name) and name not in own]


def _failure(element: str, code: str, description: str, *, as_json: bool) -> Body:
    if as_json:
        return _json(element, {"code": code, "description": description})
    return _xml([_leaf(element, description, f' code="{escape(code)}"')])


# Lines instead of an `ElementTree`: 20 us less for each validation. Whatever came from elsewhere goes through `_leaf`.
def _leaf(name: str, text: str, attributes: str = "") -> str:
    text = escape(allowed(text), quote=False)
    return f"<cas:{name}{attributes}>{text}</cas:{name}>" if text else f"<cas:{name}{attributes} />"


def _branch(name: str, lines: Sequence[str]) -> list[str]:
    return [f"<cas:{name}>", *[f"  {line}" for line in lines], f"</cas:{name}>"]


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _xml(lines: Sequence[str]) -> Body:
    inside = "".join([f"  {line}\n" for line in lines])
    return Body(f'<cas:serviceResponse xmlns:cas="{NAMESPACE}">\n{inside}</cas:serviceResponse>\n', XML)


def _json(element: str, members: Mapping[str, object]) -> Body:
    return Body(json.dumps({"serviceResponse": {element: members}}), JSON)
