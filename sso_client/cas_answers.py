"""What a CAS server answers to a validation (CAS 3.0.3 sections 2.5 and 2.8), and whom that makes of it. Pure.

XML is read without entities and without a document type: what a stranger sends must neither grow nor fetch anything.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sso_client.errors import SSOError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

NAMESPACE = "{http://www.yale.edu/tp/cas}"
#: Far more than the attributes of one person.
MAX_XML = 256 * 1024
# Names under which CAS servers release what OpenID Connect has a claim for; the first one that is there counts.
_SYNONYMS = {
    "name": ("name", "displayName", "cn"),
    "email": ("email", "mail"),
    "groups": ("groups", "memberOf"),
    "locale": ("locale", "preferredLanguage"),
}


class NotValidated(Exception):
    """The server refused the ticket. `code` is its own (CAS 3.0.3 section 2.5.3)."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(f"{code[:60]!r} {text.strip()!r:.200}")


@dataclass(frozen=True, slots=True)
class Validation:
    """A ticket that is good: the user name, and each attribute with all its values."""

    user: str
    attributes: Mapping[str, tuple[str, ...]]

    def one(self, name: str) -> str | None:
        """The only value of an attribute. Raises SSOError `cas_answer_invalid` if it has several."""
        values = self.attributes.get(name, ())
        if len(values) > 1:
            raise SSOError("cas_answer_invalid", f"{name} is there {len(values)} times")
        return values[0] if values else None

    def number(self, name: str) -> int | None:
        """The attribute as a whole number, None if it isn't there or is none."""
        value = self.one(name)
        return int(value) if value is not None and re.fullmatch("-?[0-9]{1,15}", value) else None


def read_xml(document: bytes, code: str) -> "Element":
    """The root of a document. Raises SSOError `code` for whatever isn't plain, small, well-formed XML."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    if len(document) > MAX_XML:
        raise SSOError(code, f"{len(document)} bytes")
    try:
        root: Element = fromstring(document, forbid_dtd=True)
    # Besides what it says of itself, the parser raises these for odd encodings.
    except (DefusedXmlException, ParseError, ValueError, LookupError) as error:
        raise SSOError(code, f"{type(error).__name__}: {error!s:.100}") from error
    return root


def read_validation(body: bytes) -> Validation:
    """The answer to a validation. Raises NotValidated; SSOError `cas_answer_invalid` for anything else."""
    root = read_xml(body, "cas_answer_invalid")
    if root.tag != f"{NAMESPACE}serviceResponse" or len(root) != 1:
        raise SSOError("cas_answer_invalid", f"root {root.tag!r:.80} with {len(root)} children")
    answer = root[0]
    if answer.tag == f"{NAMESPACE}authenticationFailure":
        raise NotValidated(answer.get("code", ""), _text(answer))
    if answer.tag != f"{NAMESPACE}authenticationSuccess":
        raise SSOError("cas_answer_invalid", f"{answer.tag!r:.80}")
    users, lists = answer.findall(f"{NAMESPACE}user"), answer.findall(f"{NAMESPACE}attributes")
    # An element inside a name, or a second name, would be read by one party in this way and by the next in another.
    if len(users) != 1 or len(users[0]) or not _text(users[0]) or len(lists) > 1:
        raise SSOError("cas_answer_invalid", f"{len(users)} users, {len(lists)} lists of attributes")
    if answer.find(f"{NAMESPACE}proxies") is not None:
        # Section 2.5.2: a proxy stands between; /serviceValidate must not have taken such a ticket.
        raise SSOError("cas_answer_invalid", "the ticket came through a proxy")
    attributes: dict[str, list[str]] = {}
    for item in lists[0] if lists else ():
        attributes.setdefault(item.tag.rpartition("}")[2], []).append(_text(item))
    return Validation(_text(users[0]), {name: tuple(values) for name, values in attributes.items()})


def claims_of(validation: Validation, own: Mapping[str, Any]) -> dict[str, Any]:
    """The person's claims. `own`: what the site itself has found out, which no attribute of that name replaces."""
    claims: dict[str, Any] = {
        name: values[0] if len(values) == 1 else list(values) for name, values in validation.attributes.items()
    }
    for claim, names in _SYNONYMS.items():
        values = next((validation.attributes[name] for name in names if validation.attributes.get(name)), ())
        if values:
            claims[claim] = list(values) if claim == "groups" else values[0]
    if "email_verified" in claims:
        claims["email_verified"] = claims["email_verified"] == "true"
    return claims | {"preferred_username": validation.user, **own}


def signed_in_at(validation: Validation) -> int | None:
    """When something was typed, by `authenticationDate` (section 2.5.7), in seconds; None if it doesn't say that."""
    # Some servers add the zone's name in brackets. Without a zone at all it could be any hour of the day.
    text = re.sub(r"\[[^\]]*\]$", "", next(iter(validation.attributes.get("authenticationDate", ())), ""))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else int(moment.timestamp())


def _text(element: "Element") -> str:
    return (element.text or "").strip()
