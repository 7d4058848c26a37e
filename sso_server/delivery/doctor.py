"""The logout doctor: which calls are made to a site to learn whether it can be told of a sign-out.

They go the way of the worker's calls, with the same guards, for a session that nobody has; the ledger hears nothing.
What they mean is `diagnosis`.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Protocol

from sso_server.core.ports import Clock
from sso_server.delivery import diagnosis
from sso_server.delivery.connection import ms_since
from sso_server.delivery.diagnosis import Call, Finding
from sso_server.delivery.observation import Observation, Stage
from sso_server.delivery.outgoing import OutgoingPost
from sso_server.delivery.sender import GuardedSender

#: Answers after which the same token is sent as JSON, to learn whether the form was what the site couldn't read.
_ASK_AS_JSON = (400, 415, 422)


class Calls(Protocol):
    """Logout calls for one throw-away session. Each method raises Refused (unreadable key), Unavailable."""

    def good(self) -> OutgoingPost:
        """One that the site must accept, with a `jti` of its own."""
        ...

    def as_json(self) -> OutgoingPost | None:
        """The same, not as a form; None: nobody would expect that."""
        ...

    def forged(self) -> dict[str, Callable[[], OutgoingPost]]:
        """Ones that the site must refuse: `signature`, `alg_none`, `audience`, `expired`. None of them: nothing in a
        call of this kind proves who sends it."""
        ...


class Doctor:
    """Examines one site. `allow_private` as registered; `has_sdk`: a store of it has checked in; `by_ticket`: it is a
    CAS site without it."""

    def __init__(
        self, sender: GuardedSender, clock: Clock, *, allow_private: bool, has_sdk: bool, by_ticket: bool = False
    ) -> None:
        self._sender = sender
        self._clock = clock
        self._allow_private = allow_private
        self._has_sdk = has_sdk
        self._by_ticket = by_ticket

    def examine(self, url: str, calls: Calls) -> tuple[Call, list[Finding]]:
        """The first call, and what was found, in the order in which a call goes. Raises what `calls` raises."""
        first = self._call(calls.good())
        findings = [diagnosis.of_registration(url, first)]
        if first.answer.error == "url_forbidden":
            return first, findings
        is_https = url.startswith("https:")
        findings.append(diagnosis.of_address(first))
        if first.seen.stage in (Stage.ADDRESS, Stage.RESOLVE):
            return first, findings
        findings.append(diagnosis.of_connection(first))
        if first.seen.stage is Stage.CONNECT:
            return first, findings
        findings.append(diagnosis.of_certificate(first, is_https=is_https, now=self._clock.now()))
        if first.seen.stage is Stage.TLS:
            return first, findings
        post = calls.as_json() if first.answer.status in _ASK_AS_JSON else None
        as_json = self._call(post) if post is not None else None
        findings.append(diagnosis.of_answer(url, first, as_json))
        if first.answer.status is None:
            return first, findings
        findings.append(diagnosis.of_speed(first))
        forged = calls.forged()
        if forged:
            findings.append(diagnosis.of_clock(first))
        if not first.is_accepted:
            return first, findings
        findings.append(diagnosis.of_repeat(self._call(calls.good())))
        if forged:
            findings.append(diagnosis.of_forged({name: self._call(make()) for name, make in forged.items()}))
            findings.append(diagnosis.of_store(first, has_sdk=self._has_sdk))
        else:
            findings.append(diagnosis.of_effect())
        return first, findings

    def _call(self, post: OutgoingPost) -> Call:
        seen = Observation()
        began_at, begun = self._clock.now(), monotonic()
        answer = self._sender.send(post.url, post.body, post.headers, allow_private=self._allow_private, seen=seen)
        return Call(answer, seen, began_at, ms_since(begun), self._by_ticket)
