"""Addresses of CAS services: which may be registered, which belong to a registered one, and how a ticket is put in.

Two addresses are compared in one normal form, as text, from the first character on: no regular expression is ever
registered. What is odd has no normal form: a part that servers, proxies and browsers read differently is how a ticket
gets to somebody else.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, unquote_plus, unquote_to_bytes, urlencode

from sso_server.core.errors import InvalidRequest
from sso_server.core.uris import MAX_LENGTH, check_uri

_TICKET = "ticket"
_DEFAULT_PORTS = {"https": 443, "http": 80}
# RFC 3986 appendix B, with the two schemes that there are and what may stand between them and the path.
_URL = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.IGNORECASE | re.DOTALL)
# Browsers take a backslash for a slash, and drop tabs and line ends wherever they stand.
_IN_NO_URL = re.compile(r'[\0-\x20\x7f\\"<>\ud800-\udfff]')
# No percent sign, no user information: what an authority may hold beyond that is only ever used to deceive.
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*))(?::([0-9]{0,5}))?")
# What is percent-encoded, a lone percent sign, and what RFC 3986 has no place for.
_SPELLED = re.compile(r"%([0-9A-Fa-f]{2})?|[\[\]^`{|}]")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# A slash to some readers, control characters, and what is written longer than UTF-8 allows: old servers read it.
_ODD_IN_PATH = re.compile(rb"[\x00-\x1f\x7f\\\xc0\xc1]|\xe0[\x80-\x9f]|\xf0[\x80-\x8f]|\xf8[\x80-\x87]|\xfc[\x80-\x83]")
# What a segment has behind a semicolon is dropped by some servers: `..;` is the segment above to them.
_DOTS = re.compile(rb"(?:\A|/)\.\.?(?:;[^/]*)?(?:/|\Z)")
#: Nobody on the way decodes a path more often than that; each round reads all of it, and strangers write it.
_ROUNDS = 4
_JSESSIONID = re.compile(r";jsessionid=[^/]*\Z", re.IGNORECASE)
# RFC 3986 section 3.3 and 3.4, without what separates: ; = & + stay as they were sent.
_PLAIN_IN_PATH = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$'()*,:@")
_PLAIN_IN_QUERY = _PLAIN_IN_PATH | {"/", "?"}


def check_service(url: str, what: str = "cas_service") -> str:
    """An address fit for registration, unchanged: exact, or with a slash at its end for all below it.

    Raises InvalidRequest that names what is wrong.
    """
    check_uri(url, what)
    try:
        normal_form(url)
    except InvalidRequest as error:
        raise InvalidRequest(f"{what} {url!r}: {error.description}") from None
    return url


@lru_cache(maxsize=256)  # each request asks for the same one two or three times: 6 us each
def normal_form(url: str) -> str:
    """The form in which a service is compared, and bound to its ticket (CAS 3.0.3 section 2.5.1). Idempotent.

    Scheme and host in lower case; no default port, no fragment, no `;jsessionid=...`, no parameter `ticket`.
    Frameworks, browsers and sites percent-encode differently, and a site names its service as it came back from the
    browser: so what may stand for itself does, the rest is encoded in capitals, and a query's `+` is a space. Which
    parameters there are, in which order, stays. Raises InvalidRequest with a sentence for people if the address is odd.
    """
    scheme, authority, path, query, _ = _parts(url)
    scheme = scheme.lower()
    host, port = _host_and_port(authority)
    _check_path(path)
    path = _JSESSIONID.sub("", _spelled(path, _PLAIN_IN_PATH)) or "/"
    query = _spelled(query.replace("+", "%20"), _PLAIN_IN_QUERY)
    query = "&".join(_without_sign(one) for one in _without_ticket(query) if one)
    where = host if port in (None, _DEFAULT_PORTS[scheme]) else f"{host}:{port}"
    normal = f"{scheme}://{where}{path}" + (f"?{query}" if query else "")
    if len(normal) > MAX_LENGTH:
        raise InvalidRequest(f"A service's address has at most {MAX_LENGTH} characters.")
    return normal


def is_prefix(registered: str) -> bool:
    """Whether a registered address stands for all below it."""
    return registered.endswith("/") and "?" not in registered


def matches(registered: str, url: str) -> bool:
    """Whether the address is the registered one, or lies below it. What is odd never does; never raises."""
    try:
        wanted, given = normal_form(registered), normal_form(url)
    except InvalidRequest:
        return False
    # The slash ends the prefix: neither /application nor wiki.example.org.evil.example begins with it.
    return given.startswith(wanted) if is_prefix(registered) else given == wanted


class ServiceIndex:
    """Whose a service is, among all registered addresses. Immutable."""

    def __init__(self, registered: Iterable[tuple[str, str]]) -> None:
        """`registered`: addresses with their owners; of two owners of the same one, the first counts."""
        self._exact: dict[str, str] = {}
        prefixes: dict[str, str] = {}
        for address, owner in registered:
            with contextlib.suppress(InvalidRequest):
                (prefixes if is_prefix(address) else self._exact).setdefault(normal_form(address), owner)
        self._prefixes = sorted(prefixes.items(), key=lambda one: -len(one[0]))

    def find_owner(self, url: str) -> str | None:
        """Exact before prefix, the longest prefix first; None for what is odd, too."""
        try:
            given = normal_form(url)
        except InvalidRequest:
            return None
        if (owner := self._exact.get(given)) is not None:
            return owner
        return next((owner for prefix, owner in self._prefixes if given.startswith(prefix)), None)


def with_ticket(service: str, ticket: str) -> str:
    """The service as it was sent, with the ticket (CAS 3.0.3 section 2.2.4). Its own query stays byte for byte, but
    for a ticket that it had. Raises InvalidRequest for what has no normal form."""
    normal_form(service)
    scheme, authority, path, query, fragment = _parts(service)
    return _joined(scheme, authority, path, "&".join(_without_ticket(query)), [(_TICKET, ticket)], fragment)


def without_ticket(service: str) -> str:
    """The service as it was sent, but for a ticket that it had (CAS 3.0.3 section 2.1.1, gateway).

    Raises InvalidRequest for what has no normal form.
    """
    normal_form(service)
    scheme, authority, path, query, fragment = _parts(service)
    kept = "&".join(_without_ticket(query))
    if kept == query:
        return service
    tail = f"#{fragment}" if fragment else ""
    return f"{scheme}://{authority}{path}" + (f"?{kept}" if kept else "") + tail


def with_query(url: str, fields: Iterable[tuple[str, str]]) -> str:
    """The address with these parameters behind its own query, which stays as it is (CAS 3.0.3 section 2.5.4).

    Raises InvalidRequest for what has no normal form.
    """
    normal_form(url)
    scheme, authority, path, query, fragment = _parts(url)
    return _joined(scheme, authority, path, query, list(fields), fragment)


def _parts(url: str) -> tuple[str, str, str, str, str]:
    """Scheme, authority, path, query, fragment, as they stand there; characters beyond ASCII percent-encoded."""
    if len(url) > MAX_LENGTH:
        raise InvalidRequest(f"A service's address has at most {MAX_LENGTH} characters.")
    if _IN_NO_URL.search(url):
        raise InvalidRequest("A service's address has characters that no URL may have.")
    found = _URL.fullmatch(url)
    if found is None:
        raise InvalidRequest("A service's address begins with https:// or http://.")
    scheme, authority, *rest = (part or "" for part in found.groups())
    path, query, fragment = (part if part.isascii() else _quoted(part) for part in rest)
    if len(path) + len(query) + len(fragment) > MAX_LENGTH:
        # It has grown: a header that proxies and browsers don't take would be no answer.
        raise InvalidRequest(f"A service's address has at most {MAX_LENGTH} characters.")
    return scheme, authority, path, query, fragment


def _quoted(part: str) -> str:
    return "".join(c if c.isascii() else quote(c) for c in part)


def _host_and_port(authority: str) -> tuple[str, int | None]:
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise InvalidRequest("A service's address needs a plain host, without user information.")
    literal, name, port = found.groups()
    if port and int(port) > 65535:
        raise InvalidRequest("A service's address has no such port.")
    if literal is None:
        return name.lower(), int(port) if port else None
    try:
        return f"[{ipaddress.IPv6Address(literal).compressed}]", int(port) if port else None
    except ValueError:
        raise InvalidRequest("A service's address needs a plain host, without user information.") from None


def _check_path(path: str) -> None:
    """No part of it may mean another place to whoever reads it next, however often it is decoded on the way."""
    if _BAD_PERCENT.search(path):
        raise InvalidRequest("A service's path has a percent sign that encodes nothing.")
    raw = path.encode("ascii")
    slashes = raw.count(b"/")
    for _ in range(_ROUNDS + 1):
        if raw.count(b"/") != slashes or _ODD_IN_PATH.search(raw):
            raise InvalidRequest("A service's path has an encoded slash, backslash or control character.")
        if _DOTS.search(raw):
            raise InvalidRequest("A service's path has a segment . or .. in it.")
        decoded = _read_kindly(unquote_to_bytes(raw))
        if decoded == raw:
            return
        raw = decoded
    raise InvalidRequest("A service's path is percent-encoded too often.")


def _read_kindly(raw: bytes) -> bytes:
    """As servers read it that take full-width dots and slashes for dots and slashes."""
    text = raw.decode("utf-8", "surrogateescape")
    return raw if text.isascii() else unicodedata.normalize("NFKC", text).encode("utf-8", "surrogateescape")


def _spelled(part: str, plain: frozenset[str]) -> str:
    def one_way(found: re.Match[str]) -> str:
        char = chr(int(found[1], 16)) if found[1] else found[0]
        return char if char in plain else f"%{ord(char):02X}"

    return _SPELLED.sub(one_way, part)


def _without_ticket(query: str) -> list[str]:
    """Its parameters but for `ticket`, however that is spelled: a site must read the one that is put in, no other."""
    return [one for one in query.split("&") if unquote_plus(one.partition("=")[0]) != _TICKET]


def _without_sign(parameter: str) -> str:
    """`flag` for `flag=`: libraries that take a query apart and write it again put the sign behind every name."""
    name, _, value = parameter.partition("=")
    return name if name and not value else parameter


def _joined(scheme: str, authority: str, path: str, query: str, fields: list[tuple[str, str]], fragment: str) -> str:
    added = urlencode(fields)
    between = "&" if query and not query.endswith("&") else ""
    tail = f"#{fragment}" if fragment else ""
    return f"{scheme}://{authority}{path}?{query}{between}{added}{tail}"
