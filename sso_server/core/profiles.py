"""The further claims of a person (OpenID Connect Core 1.0 section 5.1): which there are, of which type, and as text.

They are kept as one JSON text in `User.profile`; name, user name, e-mail address, language and groups have columns.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from sso_server.core.errors import InvalidRequest

MAX_VALUE = 1000
ADDRESS = ("formatted", "street_address", "locality", "region", "postal_code", "country")
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}-[0-9]{2})?")
# E.164 as section 5.1 recommends it, with the usual separators; an extension as in RFC 3966.
_PHONE = re.compile(r"\+[0-9][0-9 ().-]{3,30}(;ext=[0-9]{1,10})?")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,30}(/[A-Za-z0-9_+-]{1,30}){0,2}")


def _is_date(text: str) -> bool:
    """ISO 8601; a year alone, or 0000 for a year that is not said."""
    if _DATE.fullmatch(text) is None:
        return False
    if len(text) == 4:
        return text != "0000"
    try:
        # The year that is not said may have been a leap year.
        dt.date.fromisoformat("2000" + text[4:] if text.startswith("0000") else text)
    except ValueError:
        return False
    return True


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    # Sites make links and pictures of it: no `javascript:`, no user name that hides the host.
    return parts.scheme in ("https", "http") and bool(parts.hostname) and "@" not in parts.netloc and " " not in text


def _any(_text: str) -> bool:
    return True


_TEXTS: dict[str, tuple[Callable[[str], bool], str]] = {
    "given_name": (_any, ""),
    "family_name": (_any, ""),
    "middle_name": (_any, ""),
    "nickname": (_any, ""),
    "profile": (_is_web_address, "the address of a page, https://..."),
    "picture": (_is_web_address, "the address of a picture, https://..."),
    "website": (_is_web_address, "the address of a page, https://..."),
    "gender": (_any, ""),
    "birthdate": (_is_date, "a date as 1990-12-31, 0000-12-31 or 1990"),
    "zoneinfo": (lambda text: _ZONE.fullmatch(text) is not None, "a time zone such as Europe/Paris"),
    "phone_number": (lambda text: _PHONE.fullmatch(text) is not None, "a number such as +1 425 555 1212"),
}
#: Of a person's profile, in the order in which they are shown.
CLAIMS = (*_TEXTS, "phone_number_verified", "address")


def read_profile(text: str) -> dict[str, Any]:
    """The claims in `User.profile`."""
    return dict(json.loads(text)) if text not in ("", "{}") else {}


def change_profile(text: str, changes: Mapping[str, str]) -> str:
    """`User.profile` with these claims, given as text, in the place of the old ones; an empty value takes one away. A
    member of the address is `address.locality`; truths are `true` and `false`. Raises InvalidRequest."""
    profile = read_profile(text)
    for name, value in changes.items():
        _change(profile, name, value.strip())
    return json.dumps(check_profile(profile), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def check_profile(profile: Mapping[str, Any]) -> dict[str, Any]:
    """The same claims if each is there and of its type. Raises InvalidRequest."""
    for name, value in profile.items():
        if name == "address":
            _check_address(value)
        elif name == "phone_number_verified":
            _must(isinstance(value, bool), name, "true or false")
        elif name in _TEXTS:
            holds, words = _TEXTS[name]
            _check_text(name, value)
            _must(holds(value), name, words)
        else:
            raise InvalidRequest(f"There is no claim {name!r} that could be set, but: {', '.join(CLAIMS)}.")
    if "phone_number_verified" in profile and "phone_number" not in profile:
        raise InvalidRequest("phone_number_verified: there is no phone_number.")
    return dict(profile)


def _change(profile: dict[str, Any], name: str, value: str) -> None:
    whole, _, member = name.partition(".")
    if whole == "address":
        _change_address(profile, member, value)
    elif not value:
        profile.pop(name, None)
        if name not in CLAIMS:
            raise InvalidRequest(f"There is no claim {name!r}, but: {', '.join(CLAIMS)}.")
    elif name == "phone_number_verified":
        profile[name] = {"true": True, "false": False}.get(value.lower(), value)
    else:
        profile[name] = value
    if name == "phone_number":
        # Of the old one something was known; of this one it isn't yet.
        profile.pop("phone_number_verified", None)


def _change_address(profile: dict[str, Any], member: str, value: str) -> None:
    """`address` alone is the whole of it as one text, line by line."""
    member = member or "formatted"
    _must(member in ADDRESS, f"address.{member}", f"one of {', '.join(ADDRESS)}")
    address = {name: old for name, old in profile.get("address", {}).items() if name != member}
    address |= {member: value} if value else {}
    profile.pop("address", None)
    profile.update({"address": address} if address else {})


def _check_address(value: Any) -> None:
    _must(isinstance(value, dict) and set(value) <= set(ADDRESS), "address", f"an object with {', '.join(ADDRESS)}")
    for member, text in dict(value).items():
        # Section 5.1.1: it may have several lines.
        flat = text.replace("\r\n", " ").replace("\n", " ") if isinstance(text, str) else text
        _check_text(f"address.{member}", flat)


def _check_text(name: str, value: object) -> None:
    _must(isinstance(value, str) and 0 < len(value) <= MAX_VALUE, name, f"a text of at most {MAX_VALUE} characters")
    _must(str(value).isprintable(), name, "a text of characters that can be seen")


def _must(holds: bool, name: str, words: str) -> None:
    if not holds:
        raise InvalidRequest(f"{name}: must be {words}.")
