"""What the doctor's calls mean, one function for each check. Pure; which calls are made is `doctor`'s business.

The words of a cure belong to `core.logout_cures`, by the codes given here.
"""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import urlsplit

from sso_server.core.logout_cures import code_of
from sso_server.core.notifications import Answer
from sso_server.core.policy import DAY, SECOND
from sso_server.core.records import record
from sso_server.delivery.observation import Observation, Stage

SLOW_MS = 2 * SECOND
SKEW_MS = 30 * SECOND
SOON_MS = 14 * DAY

#: OpenSSL's X509_V_ERR_... numbers (x509_vfy.h).
_CERTIFICATE = {
    9: "certificate_not_yet_valid",
    10: "certificate_expired",
    62: "certificate_name",
    64: "certificate_name",
}
_FORGED_WORDS = {
    "signature": "broken signature",
    "alg_none": "no signature",
    "audience": "another site's",
    "expired": "expired",
}


class Level(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    SKIPPED = "skipped"


@record
class Finding:
    """One line of the report."""

    check: str
    level: Level
    said: str
    """What was seen, in English; texts of the site are cleaned and short."""
    code: str = ""
    """What is wrong; empty when nothing is."""


@record
class Call:
    """One call as it went. Times in ms."""

    answer: Answer
    seen: Observation
    began_at: int
    took_ms: int
    by_ticket: bool = False
    """To a CAS site without our SDK."""

    @property
    def is_accepted(self) -> bool:
        """OpenID Connect Back-Channel Logout 1.0 section 2.8: 200, and whatever frameworks make of it."""
        return self.answer.is_yes(by_ticket=self.by_ticket)


def of_registration(url: str, call: Call) -> Finding:
    """Whether the address is one at all."""
    if call.answer.error == "url_forbidden":
        return Finding("registration", Level.BAD, shown(url), "url_forbidden")
    return Finding("registration", Level.OK, shown(url))


def of_address(call: Call) -> Finding:
    """What the name means, and whether that may be called."""
    seen = call.seen
    listed = ", ".join(map(str, seen.addresses))
    if seen.stage is Stage.ADDRESS:
        return Finding("address", Level.BAD, listed or "not a host name", call.answer.error)
    if seen.stage is Stage.RESOLVE:
        return Finding("address", Level.BAD, f"none found after {_seconds(call.took_ms)}", "dns")
    return Finding("address", Level.OK, listed + (f" ({seen.resolve_ms} ms)" if seen.resolve_ms else ""))


def of_connection(call: Call) -> Finding:
    """TCP."""
    if call.seen.stage is Stage.CONNECT:
        return Finding("connection", Level.BAD, f"none after {_seconds(call.took_ms)}", call.answer.error)
    return Finding("connection", Level.OK, f"{call.seen.connect_ms or 0} ms")


def of_certificate(call: Call, *, is_https: bool, now: int) -> Finding:
    """TLS."""
    seen = call.seen
    if not is_https:
        return Finding("certificate", Level.SKIPPED, "plain http")
    if seen.stage is Stage.TLS:
        code = call.answer.error
        if seen.certificate_trouble is not None:
            code = _CERTIFICATE.get(seen.certificate_trouble, "certificate_untrusted")
        return Finding("certificate", Level.BAD, f"no TLS after {_seconds(call.took_ms)}", code)
    until = seen.certificate_until
    said = f"{seen.tls_version}, {seen.tls_ms or 0} ms"
    if until is None:
        return Finding("certificate", Level.OK, said)
    said += f", valid until {datetime.fromtimestamp(until / 1000, tz=UTC):%Y-%m-%d} ({max(0, until - now) // DAY} days)"
    if until - now < SOON_MS:
        return Finding("certificate", Level.WARN, said, "certificate_expires_soon")
    return Finding("certificate", Level.OK, said)


def of_answer(url: str, call: Call, as_json: Call | None) -> Finding:
    """What the site said to a good token; `as_json` is what it said to the same as JSON."""
    answer, seen = call.answer, call.seen
    if answer.status is None:
        return Finding("answer", Level.BAD, f"none after {_seconds(call.took_ms)}", answer.error)
    said = f"{answer.status} after {call.took_ms} ms"
    if 300 <= answer.status < 400:
        location = seen.headers.get("Location", "")
        said += f", to {shown(location)}" if location else ""
        if call.is_accepted:
            return Finding("answer", Level.WARN, said, "sent_on")
    elif call.is_accepted:
        return Finding("answer", Level.OK, said)
    elif text := shown(seen.beginning.decode("utf-8", "replace")):
        said += f": {text}"
    return Finding("answer", Level.BAD, said, _refusal(url, call, as_json))


def of_speed(call: Call) -> Finding:
    """Name, connection and answer together."""
    said = _seconds(call.took_ms)
    return Finding("speed", Level.WARN, said, "slow") if call.took_ms > SLOW_MS else Finding("speed", Level.OK, said)


def of_clock(call: Call) -> Finding:
    """The site's `Date` (RFC 9110 section 6.6.1: whole seconds) against our time in the middle of the call."""
    try:
        date = email.utils.parsedate_to_datetime(call.seen.headers.get("Date", ""))
        skew = int(date.timestamp() * 1000) - (call.began_at + call.took_ms // 2)
    except (ValueError, TypeError, OverflowError, OSError):
        return Finding("clock", Level.SKIPPED, "its answer has no date")
    if abs(skew) <= SKEW_MS:
        return Finding("clock", Level.OK, "within 30 s of ours")
    # An accepted token proves that the skew does no harm yet: the date may be a proxy's.
    level = Level.BAD if call.answer.status == 400 else Level.WARN
    side = "ahead" if skew > 0 else "behind"
    return Finding("clock", level, f"{abs(skew) // 1000} s {side}", f"clock_{side}")


def of_repeat(call: Call) -> Finding:
    """A second call for the same session (section 2.7: a session that is gone is no error)."""
    said = str(call.answer.status or call.answer.error)
    if call.is_accepted:
        return Finding("repeat", Level.OK, f"{said} to a second call for the same session")
    return Finding("repeat", Level.BAD, f"{said} to a second call for the same session", "refuses_repeat")


def of_forged(calls: Mapping[str, Call]) -> Finding:
    """Tokens that nobody may take, by name."""
    said = ", ".join(f"{_FORGED_WORDS[name]} {call.answer.status or call.answer.error}" for name, call in calls.items())
    accepted = {name for name, call in calls.items() if call.is_accepted}
    if accepted & {"signature", "alg_none"}:
        everything = accepted == calls.keys() and all(_is_page(call.seen) for call in calls.values())
        return Finding("forged", Level.BAD, said, "answers_anything" if everything else "accepts_forged")
    if accepted:
        return Finding("forged", Level.WARN, said, "accepts_foreign" if "audience" in accepted else "accepts_expired")
    if any(call.answer.status is None or call.answer.status >= 500 for call in calls.values()):
        return Finding("forged", Level.WARN, said, "forged_breaks")
    return Finding("forged", Level.OK, f"refused: {said}")


def of_store(call: Call, *, has_sdk: bool) -> Finding:
    """Which store answered."""
    if call.answer.store_id:
        return Finding("store", Level.OK, f"{call.answer.store_id} (the SDK answers)")
    if has_sdk:
        return Finding("store", Level.WARN, "none named", "no_store")
    return Finding("store", Level.SKIPPED, "none named (a site without the SDK)")


def of_effect() -> Finding:
    """A CAS site answers alike whether it ended something or not, and nothing may be tried on it that would."""
    return Finding("effect", Level.SKIPPED, "not to be seen from here: sign out once, and look whether it ended")


def shown(text: str) -> str:
    """A site's text, fit for a terminal: one line, printable, at most 200 characters."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return words if len(words) <= 200 else words[:199] + "…"


def _refusal(url: str, call: Call, as_json: Call | None) -> str:
    status = call.answer.status or 0
    if 300 <= status < 400:
        return _redirect(url, call.seen.headers.get("Location", ""))
    if as_json is not None and as_json.is_accepted:
        return "json_only"
    if status in (400, 403, 419) and b"csrf" in call.seen.beginning.lower():
        return "csrf"
    return code_of(call.answer, has_sdk=False)


def _redirect(url: str, location: str) -> str:
    try:
        here, there = urlsplit(url), urlsplit(location)
        same_place = (here.hostname, here.path) == (there.hostname, there.path)
    except ValueError:
        return "redirect"
    if same_place and here.scheme == "http" and there.scheme == "https":
        return "redirect_to_https"
    path = there.path.lower()
    return "redirect_to_login" if any(word in path for word in ("login", "signin", "sign-in", "auth")) else "redirect"


def _is_page(seen: Observation) -> bool:
    return seen.beginning.lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _seconds(ms: int) -> str:
    return f"{ms} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
