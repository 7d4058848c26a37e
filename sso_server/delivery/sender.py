"""The centre's only outgoing calls: a POST or a GET to a registered address, guarded (design 5.12).

Resolved once, every address checked, connected to exactly what was checked; no proxies, no redirects, small answers,
2 s to connect and 5 s in all, even against a site that drips. What an answer means is `core.notifications`' business.
"""

from __future__ import annotations

import email.utils
import ssl
from collections.abc import Mapping
from time import monotonic
from urllib.parse import urljoin, urlsplit

from sso_server.core.identifiers import is_store_id
from sso_server.core.notifications import Answer
from sso_server.core.records import record
from sso_server.delivery.addresses import Address, AddressRefused, Rules, Target, check_addresses, parse_target
from sso_server.delivery.connection import (
    BROKEN,
    WHOLE_S,
    BoundedTlsSocket,
    Guarded,
    IdleConnections,
    Limits,
    code_of,
    key_of,
    ms_since,
)
from sso_server.delivery.observation import KEPT, Observation, Stage
from sso_server.delivery.resolver import Resolver, localhost_addresses

CONNECT_S = 2.0
_HEAD_BYTES = 32 * 1024
_BODY_BYTES = 64 * 1024
_BODY_S = 1.0
# Nothing is ever unpacked.
_ALWAYS = {"User-Agent": "Lockstep", "Accept-Encoding": "identity"}


@record
class _Message:
    """What is sent to whatever address was checked."""

    method: str
    body: bytes | None
    headers: Mapping[str, str]
    wants_body: bool = False
    """The answer's body is what the call is for: it may take all the time there is, and must be complete."""


class GuardedSender:
    """Calls sites. Thread-safe; one object per process keeps the idle connections.

    `allow_loopback`: only a centre whose own issuer is on loopback may call sites there. `ca_file` names a PEM file of
    additional authorities (an intranet's own).
    """

    def __init__(self, *, allow_loopback: bool, resolver: Resolver | None = None, ca_file: str = "") -> None:
        self._loopback = allow_loopback
        self._resolver = resolver or Resolver()
        self._idle = IdleConnections()
        self._tls = ssl.create_default_context()
        if ca_file:
            self._tls.load_verify_locations(cafile=ca_file)
        self._tls.sslsocket_class = BoundedTlsSocket

    def send(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        allow_private: bool = False,
        seen: Observation | None = None,
    ) -> Answer:
        """One POST. Never raises for what a site or a network does: the answer carries a status or an error code.

        `seen` is filled in on the way, for somebody who explains the answer.
        """
        return self._call(url, _Message("POST", body, headers), allow_private, seen or Observation())

    def get(self, url: str, *, allow_private: bool = False) -> Answer:
        """One GET, of an address that carries what is to be told (CAS 3.0.3 section 2.5.4). Never raises, as `send`."""
        return self._call(url, _Message("GET", None, {}), allow_private, Observation())

    def fetch(self, url: str, accept: str, *, allow_private: bool = False) -> tuple[Answer, bytes | None]:
        """One GET of a small document: the answer, and its body if that came whole, in time and with less than 64 KiB.
        Never raises, as `send`."""
        seen = Observation()
        answer = self._call(url, _Message("GET", None, {"Accept": accept}, wants_body=True), allow_private, seen)
        return answer, seen.body

    def _call(self, url: str, message: _Message, allow_private: bool, seen: Observation) -> Answer:
        deadline = monotonic() + WHOLE_S
        try:
            target = parse_target(url)
            seen.addresses = self._addresses(target, seen)
            addresses = check_addresses(target, seen.addresses, Rules(self._loopback, allow_private))
        except AddressRefused as refused:
            seen.stage = Stage.ADDRESS
            return Answer(None, refused.code)
        except OSError:
            return Answer(None, "dns")
        limits = Limits(deadline)
        kept = self._idle.take([key_of(target, address) for address in addresses])
        if kept is not None:
            answer = self._exchange(kept, limits, target, message, seen)
            if answer.error != "reset" or limits.received:
                return answer
            # The site closed an idle connection at the moment we used it. Telling twice does no harm: `sid` decides.
        last = Answer(None, "connect")
        connect_by = min(monotonic() + CONNECT_S, deadline)
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            connection = Guarded(target, address, self._tls if target.scheme == "https" else None)
            try:
                connection.open(limits, (connect_by - monotonic()) / left, seen)
            except OSError as error:
                last = Answer(None, code_of(error))
                continue
            return self._exchange(connection, limits, target, message, seen)
        return last

    def close(self) -> None:
        """Close the idle connections."""
        self._idle.close()

    def _addresses(self, target: Target, seen: Observation) -> tuple[Address, ...]:
        if target.literal is not None:
            return (target.literal,)
        if target.is_localhost:
            return localhost_addresses()
        begun = monotonic()
        seen.stage = Stage.RESOLVE
        addresses = self._resolver.resolve(target.host, CONNECT_S)
        seen.resolve_ms = ms_since(begun)
        return addresses

    def _exchange(
        self,
        connection: Guarded,
        limits: Limits,
        target: Target,
        message: _Message,
        seen: Observation,
    ) -> Answer:
        begun = monotonic()
        seen.stage = Stage.EXCHANGE
        try:
            limits.allow(_HEAD_BYTES)
            named = {**_ALWAYS, **message.headers, "Host": target.authority}
            reply = connection.ask(message.method, target.path, named, message.body, limits)
        except BROKEN as error:
            connection.close()
            return Answer(None, code_of(error))
        seen.answer_ms, seen.headers = ms_since(begun), reply.headers
        answer = _answer(reply.status, reply.headers, target)
        try:
            # The status is the answer; the rest is read only to use the connection again, unless it was asked for.
            limits.allow(_BODY_BYTES, within_s=WHOLE_S if message.wants_body else _BODY_S)
            rest = reply.read(_BODY_BYTES)
            seen.beginning = rest[:KEPT]
            if message.wants_body and reply.is_whole:
                seen.body = rest
        except BROKEN:
            pass
        # After an interim answer (103) the real one may still come: the next call would take it for its own.
        if answer.status is not None and reply.is_clean:
            self._idle.put(connection)
        else:
            connection.close()
        return answer


def _answer(status: int, headers: Mapping[str, str], target: Target) -> Answer:
    if not 200 <= status <= 599:
        return Answer(None, "protocol")
    store_id = headers.get("Lockstep-Store", "")
    retry_after_ms = _retry_after_ms(headers.get("Retry-After", ""), headers.get("Date", ""))
    return Answer(
        status,
        retry_after_ms=retry_after_ms,
        store_id=store_id if is_store_id(store_id) else "",
        elsewhere=300 <= status < 400 and _wants_it_elsewhere(target, headers.get("Location", "")),
    )


def _wants_it_elsewhere(target: Target, location: str) -> bool:
    """Whether a redirect leads to the same path under another scheme or host, or with another slash at its end: so do
    servers before anything behind them has read the request."""
    here = f"{target.scheme}://{target.authority}{target.path}"
    try:
        asked = urlsplit(here)
        there = urlsplit(urljoin(here, location))
    except ValueError:
        return False
    same_path = asked.path.rstrip("/") == there.path.rstrip("/")
    return same_path and (asked.scheme, asked.netloc, asked.path) != (there.scheme, there.netloc.lower(), there.path)


def _retry_after_ms(text: str, date: str) -> int | None:
    """RFC 9110 section 10.2.3: seconds, or a date, which is measured against the site's own clock (`Date`)."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return int(text[:9]) * 1000
    try:
        wait = email.utils.parsedate_to_datetime(text) - email.utils.parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        # TypeError: one with a time zone, one without.
        return None
    return max(0, int(wait.total_seconds() * 1000))
