"""The `claims` parameter (OpenID Connect Core 1.0 section 5.5): which claims a site wants one by one, and how much.

Which of them there are is `claims`' and `profiles`' to say; a name that nobody knows is asked for in vain.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from sso_server.core.errors import InvalidRequest
from sso_server.core.records import record

#: Of one request. There are some thirty claims; the text travels with the ticket and its grant.
MAX_CLAIMS = 100
MAX_TEXT = 8192


@record
class Wanted:
    """One claim as it was asked for (section 5.5.1)."""

    essential: bool = False
    values: tuple[object, ...] = ()
    """What it should be: `value`, or `values` in order of preference; empty: whatever it is."""

    def admits(self, value: object) -> bool:
        """Whether this is what was asked for."""
        return not self.values or any(type(one) is type(value) and one == value for one in self.values)


@record
class ClaimsRequest:
    """What was asked for in either place, by name."""

    userinfo: Mapping[str, Wanted] = field(default_factory=dict)
    id_token: Mapping[str, Wanted] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, once each, in the order asked."""
        return tuple(dict.fromkeys((*self.userinfo, *self.id_token)))

    def admits_subject(self, sub: str) -> bool:
        """Whether the person with this `sub` may be the one who is meant. If not, the sign-in has failed, or another
        one is needed (section 5.5.1: the request is about this End-User and no other)."""
        return all(place["sub"].admits(sub) for place in (self.userinfo, self.id_token) if "sub" in place)


_NOTHING = ClaimsRequest()


def parse(text: str) -> ClaimsRequest:
    """The request; an empty text asks for nothing. Raises InvalidRequest if it is malformed."""
    if not text:
        return _NOTHING
    if len(text) > MAX_TEXT:
        raise InvalidRequest("claims is too long.")
    try:
        asked = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InvalidRequest("claims is not JSON.") from None
    if not isinstance(asked, dict):
        raise InvalidRequest("claims is not a JSON object.")
    # Members that we don't know are ignored, here and with each claim (section 5.5).
    found = ClaimsRequest(*(_place(asked, name) for name in ("userinfo", "id_token")))
    if len(found.userinfo) + len(found.id_token) > MAX_CLAIMS:
        raise InvalidRequest(f"claims asks for more than {MAX_CLAIMS} claims.")
    return found


def _place(asked: dict[str, Any], name: str) -> dict[str, Wanted]:
    place = asked.get(name, {})
    if not isinstance(place, dict):
        raise InvalidRequest(f"claims: {name} is not an object.")
    return {claim: _wanted(how) for claim, how in place.items()}


def _wanted(how: object) -> Wanted:
    if how is None:
        return Wanted()
    if not isinstance(how, dict):
        raise InvalidRequest("claims: a claim is neither null nor an object.")
    essential, values = how.get("essential", False), how.get("values", [])
    if not isinstance(essential, bool):
        raise InvalidRequest("claims: essential is neither true nor false.")
    if not isinstance(values, list):
        raise InvalidRequest("claims: values is not a list.")
    if "values" in how and "value" in how:
        raise InvalidRequest("claims: a claim has both value and values.")
    return Wanted(essential, (how["value"],) if "value" in how else tuple(values))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # Two readers may take different ones of two (RFC 8259 section 4).
        raise ValueError("a member is repeated")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
