"""What one call showed beside its answer, as far as it came: for `doctor`, which explains it to people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sso_server.delivery.addresses import Address


class Stage(StrEnum):
    """How far a call came; a failure belongs to the stage it was in."""

    ADDRESS = "address"
    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    EXCHANGE = "exchange"


@dataclass(slots=True)
class Observation:
    """The sender fills it in while it calls. Durations in ms, None for a stage that was not needed or not reached."""

    stage: Stage = Stage.ADDRESS
    addresses: tuple[Address, ...] = ()
    """What the name means now, in the order in which they are tried."""
    resolve_ms: int | None = None
    connect_ms: int | None = None
    tls_ms: int | None = None
    answer_ms: int | None = None
    tls_version: str = ""
    certificate_until: int | None = None
    """When the certificate runs out (ms)."""
    certificate_trouble: int | None = None
    """OpenSSL's number for what is wrong with it (X509_V_ERR_...)."""
    headers: Mapping[str, str] = field(default_factory=dict)
    beginning: bytes = b""
    """Of the body, `KEPT` bytes at most."""
    body: bytes | None = None
    """All of it, if the call was for that and it came whole."""


KEPT = 2048
