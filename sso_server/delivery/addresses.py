"""Which addresses the centre may call: a URL taken apart strictly, and a verdict on every IP address. Pure.

A registered logout address is chosen by somebody else; without these rules the centre would call its own network for
them (OWASP WSTG-INPV-19, ASVS 5.0 1.3.6). Unknown means no: what isn't global unicast is refused.
"""

from __future__ import annotations

import ipaddress
import re
from enum import Enum
from functools import lru_cache
from urllib.parse import urlsplit

from sso_server.core.records import record
from sso_server.core.uris import is_loopback_host

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
# Forms that inet_aton takes for an address: 2130706433, 0x7f.1, 0177.0.0.1 (WHATWG URL, "ends in a number").
_ENDS_IN_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
#: `[::1]evil.example` is ::1 to one parser and evil.example to another.
_AUTHORITY = re.compile(r"(\[[^\[\]]+\]|[^\[\]:]*)(:[0-9]+)?")
_FORBIDDEN_IN_URL = re.compile(r"""[^!-~]|[\\"<>^`{|}]""")

_V4 = ipaddress.IPv4Network
_V6 = ipaddress.IPv6Network
_PRIVATE = tuple(map(_V4, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
# IANA's special-purpose registry (RFC 6890), and what clouds keep their credentials on: Azure's 168.63.129.16 and
# Alibaba's 100.100.100.200 lie in ranges that would pass otherwise.
_NEVER_V4 = tuple(
    map(
        _V4,
        (
            "0.0.0.0/8",
            "100.100.100.200/32",
            "168.63.129.16/32",
            "169.254.0.0/16",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_LOOPBACK_V4 = _V4("127.0.0.0/8")
_LOOPBACK_V6 = ipaddress.IPv6Address("::1")
_ULA = _V6("fc00::/7")
_METADATA_V6 = _V6("fd00:ec2::/32")
_GLOBAL_V6 = _V6("2000::/3")
# Protocol assignments (Teredo, ORCHID), documentation, 6to4: tunnels that nobody runs a site behind any more
# (RFC 7526), and whose inner address a relay would unwrap for an attacker.
_NEVER_V6 = tuple(map(_V6, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_MAPPED = _V6("::ffff:0:0/96")
_NAT64 = _V6("64:ff9b::/96")


class Zone(Enum):
    """Where an address lies."""

    LOOPBACK = "loopback"
    PRIVATE = "private"
    PUBLIC = "public"
    NEVER = "never"


class AddressRefused(Exception):
    """The sender will not call this. `code` is what the ledger shows."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@record
class Target:
    """A URL taken apart: where to connect, and what to ask for there."""

    scheme: str
    host: str
    """Lower case, without brackets and without a final dot."""
    port: int
    path: str
    literal: Address | None
    """The host is an IP address already."""

    @property
    def authority(self) -> str:
        """For `Host` (RFC 9110 section 7.2): the default port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    @property
    def is_localhost(self) -> bool:
        """`localhost` or `*.localhost`: loopback by definition (RFC 6761 section 6.3), whatever a resolver says."""
        return self.literal is None and is_loopback_host(self.host)


@record
class Rules:
    """What is allowed for one call."""

    loopback: bool
    """The centre itself is on loopback, so its sites may be."""
    private: bool
    """The client may live in an intranet, and only there without https."""


# The same few thousand sites over and over: a URL taken apart and its zone found take 30 us a call, looked up 1.
@lru_cache(maxsize=4096)
def parse_target(url: str) -> Target:
    """The URL as we understand it; what two parsers could understand differently is refused. Raises AddressRefused."""
    if len(url) > 2000 or _FORBIDDEN_IN_URL.search(url):
        # No spaces, controls, quotes, backslashes or characters beyond ASCII: they are what parsers disagree about.
        raise AddressRefused("url_forbidden")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise AddressRefused("url_forbidden") from None
    if not url.startswith(("http://", "https://")) or "@" in parts.netloc or parts.fragment or port == 0:
        raise AddressRefused("url_forbidden")
    if not _AUTHORITY.fullmatch(parts.netloc):
        raise AddressRefused("url_forbidden")
    literal = _literal(host, bracketed="[" in parts.netloc)
    host = host if literal else host.removesuffix(".")
    if literal is None and (not _HOST.fullmatch(host) or _ENDS_IN_NUMBER.fullmatch(host)):
        raise AddressRefused("address_forbidden")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path, literal)


def check_addresses(target: Target, addresses: tuple[Address, ...], rules: Rules) -> tuple[Address, ...]:
    """The addresses if every single one may be called. Raises AddressRefused.

    Every one: a name that answers with a public and a private address would let chance decide which is called.
    """
    zones = {zone_of(address) for address in addresses}
    allowed = {Zone.PUBLIC}
    if rules.loopback:
        allowed.add(Zone.LOOPBACK)
    if rules.private:
        allowed.add(Zone.PRIVATE)
    if not zones or zones - allowed:
        raise AddressRefused("address_forbidden")
    if target.scheme == "http" and Zone.PUBLIC in zones:
        # A logout token in the clear can be held back by anybody on the way. Loopback and the intranet have been
        # allowed above; the permission for the intranet says nothing about the internet.
        raise AddressRefused("http_forbidden")
    return addresses


@lru_cache(maxsize=4096)
def zone_of(address: Address) -> Zone:
    """Where the address lies; what isn't known to be global unicast is `NEVER`."""
    if isinstance(address, ipaddress.IPv4Address):
        return _zone_v4(address)
    if address.scope_id is not None:
        # `fe80::1%eth0`: no site on the internet is named so, and the zone would choose the network we call.
        return Zone.NEVER
    if address in _MAPPED:
        return _zone_v4(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if address in _NAT64:
        # RFC 6052 section 3.1: this prefix never carries an address that isn't global.
        inner = _zone_v4(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        return inner if inner is Zone.PUBLIC else Zone.NEVER
    if int(address) == int(_LOOPBACK_V6):
        return Zone.LOOPBACK
    if address in _ULA and address not in _METADATA_V6:
        return Zone.PRIVATE
    if address in _GLOBAL_V6 and not any(address in network for network in _NEVER_V6):
        return Zone.PUBLIC
    return Zone.NEVER


def _zone_v4(address: ipaddress.IPv4Address) -> Zone:
    if address in _LOOPBACK_V4:
        return Zone.LOOPBACK
    if any(address in network for network in _NEVER_V4):
        return Zone.NEVER
    if any(address in network for network in _PRIVATE):
        return Zone.PRIVATE
    return Zone.PUBLIC


def _literal(host: str, *, bracketed: bool) -> Address | None:
    """Strict dotted decimal, or IPv6 in brackets without a zone. Raises AddressRefused for other things in brackets."""
    try:
        if bracketed:
            return ipaddress.IPv6Address("" if "%" in host else host)
        return ipaddress.IPv4Address(host)
    except ValueError:
        if bracketed:
            raise AddressRefused("url_forbidden") from None
        return None
