"""Addresses of a Redis: one server, a service under Sentinel, a cluster. What is wrong with one is said in words that
quote nothing of it: a password with a character that should have been escaped can be taken for any other part.
"""

from __future__ import annotations

import re
from dataclasses import field
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.connection import parse_url

from sso_server.core.records import record

Kind = Literal["server", "sentinel", "cluster"]
Host = tuple[str, int]
SCHEMES = (
    "redis://",
    "rediss://",
    "redis+sentinel://",
    "rediss+sentinel://",
    "redis+cluster://",
    "rediss+cluster://",
    "unix://",
)
_ESCAPES = "In a password write %2F for /, %3A for :, %40 for @, %3F for ?, %23 for #, %2C for a comma."
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?")
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_SSL = (
    *_FILES,
    "ssl_ca_path",
    "ssl_ca_data",
    "ssl_cert_reqs",
    "ssl_check_hostname",
    "ssl_password",
    "ssl_min_version",
    "ssl_ciphers",
    "ssl_include_verify_flags",
    "ssl_exclude_verify_flags",
)
_OPTIONS = (
    "db",
    "username",
    "password",
    "client_name",
    "socket_timeout",
    "socket_connect_timeout",
    "socket_keepalive",
    "socket_read_size",
    "health_check_interval",
    "max_connections",
    "timeout",
)
_OF_SENTINELS = ("sentinel_user", "sentinel_password")
_TIMEOUT_S = 1.0
_CONNECTIONS = 32
_HEALTH_CHECK_S = 30.0


@record
class Address:
    """Where a Redis is and how to talk to it. Printing one shows no password."""

    kind: Kind
    hosts: tuple[Host, ...]
    """The server; the sentinels; the nodes of a cluster that are asked first. None: `options` has a socket's path."""
    tls: bool = False
    service: str = ""
    """What the sentinels call it."""
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    """redis-py's, for a connection to a server."""
    sentinel_options: dict[str, Any] = field(default_factory=dict, repr=False)
    """The same for a connection to a sentinel."""
    connections: int = _CONNECTIONS
    """The most to one server in one process."""
    wait_s: float = _TIMEOUT_S
    """How long to wait for one of them."""
    idle_s: float = _HEALTH_CHECK_S
    """After how long a connection that nobody used is tried before it is used; 0: it isn't tried."""

    @property
    def timeout_s(self) -> float:
        """How long a server may be silent."""
        return float(self.options["socket_timeout"])


def parse(url: str) -> Address:
    """The address. Raises ValueError with what is wrong, for people."""
    scheme = next((s for s in SCHEMES if url.startswith(s)), None)
    if scheme is None:
        raise _wrong(f"must begin with one of {', '.join(SCHEMES)}")
    base, _, way = scheme.removesuffix("://").partition("+")
    kind: Kind = next((k for k in get_args(Kind) if k == way), "server")
    try:
        parts = urlsplit(url.replace(scheme, f"{base}://", 1))
        asked = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query), keep_blank_values=True))
    except ValueError:
        raise _wrong("can't be read") from None
    if parts.fragment or "#" in url:
        raise _wrong("has a # in it")
    extra = {name: asked.pop(name) for name in _OF_SENTINELS if name in asked}
    if extra and kind != "sentinel":
        raise _wrong(f"has an option that only redis+sentinel:// knows ({', '.join(_OF_SENTINELS)})")
    options = _options(parts, asked, tls=base == "rediss")
    service = ""
    if base == "unix":
        if not options.get("path"):
            raise _wrong("names no socket: unix:///run/redis/redis.sock")
        hosts: tuple[Host, ...] = ()
    else:
        hosts = _hosts(parts, 26379 if kind == "sentinel" else 6379)
        path = parts.path.strip("/")
        if kind == "sentinel":
            service, _, path = path.partition("/")
            if not service:
                raise _wrong("names no service: redis+sentinel://host,host,host/SERVICE")
        if kind == "server" and len(hosts) > 1:
            raise _wrong("names several servers: those need redis+sentinel:// or redis+cluster://")
        _choose_database(options, path, kind)
    pool = {
        name: options.pop(name) for name in ("max_connections", "timeout", "health_check_interval") if name in options
    }
    own = ("username", "password", "db")
    return Address(
        kind,
        hosts,
        tls=base == "rediss",
        service=unquote(service),
        options=options,
        sentinel_options={
            **{name: value for name, value in options.items() if name not in own},
            **({"username": extra["sentinel_user"]} if extra.get("sentinel_user") else {}),
            **({"password": extra["sentinel_password"]} if extra.get("sentinel_password") else {}),
        },
        connections=max(1, pool.get("max_connections", _CONNECTIONS)),
        wait_s=pool.get("timeout", _TIMEOUT_S),
        idle_s=float(pool.get("health_check_interval", _HEALTH_CHECK_S)),
    )


def _options(parts: SplitResult, asked: dict[str, str], *, tls: bool) -> dict[str, Any]:
    known = (*_OPTIONS, *(_SSL if tls else ()))
    if any(name in _SSL for name in asked) and not tls:
        raise _wrong("has an ssl_ option and no TLS: it must begin with rediss")
    if any(name not in known for name in asked):
        raise _wrong(f"has an option that isn't known; these are: {', '.join(known)}")
    who = parts.netloc.rpartition("@")[0]
    try:
        # redis-py reads the options' values; the hosts are ours, because it knows of one only.
        path = parts.path if parts.scheme == "unix" else ""
        place = (
            f"{who}@"
            if parts.scheme == "unix" and who
            else ""
            if parts.scheme == "unix"
            else f"{who}@host"
            if who
            else "host"
        )
        options: dict[str, Any] = parse_url(f"{parts.scheme}://{place}{path}?{parts.query}")  # type: ignore[no-untyped-call]
    except ValueError:
        raise _wrong("has an option whose value can't be used") from None
    for name in ("connection_class", "host", "port", *_OF_SENTINELS):
        options.pop(name, None)
    options.setdefault("socket_timeout", _TIMEOUT_S)
    options.setdefault("socket_connect_timeout", _TIMEOUT_S)
    if not (options["socket_timeout"] > 0 and options["socket_connect_timeout"] > 0):
        raise _wrong("has a time-out that isn't above zero")
    for name in _FILES:
        if name in options and not Path(options[name]).is_file():
            raise _wrong(f"names a file in {name} that isn't there or can't be read")
    return options


def _hosts(parts: SplitResult, port: int) -> tuple[Host, ...]:
    found = []
    for text in parts.netloc.rpartition("@")[2].split(","):
        match = _HOST.fullmatch(text.strip())
        if match is None or not 0 < int(match[3] or port) < 65536:
            raise _wrong("has a host or port that can't be one")
        found.append((match[1] or match[2], int(match[3] or port)))
    return tuple(found)


def _choose_database(options: dict[str, Any], path: str, kind: Kind) -> None:
    if path and not path.isdecimal():
        raise _wrong("has a path that isn't the number of a database")
    if path and "db" not in options:
        options["db"] = int(path)
    if kind == "cluster" and options.pop("db", 0):
        raise _wrong("names a database; a cluster has only the one with the number 0")


def _wrong(what: str) -> ValueError:
    return ValueError(f"SSO_REDIS_URL: {what}. {_ESCAPES}")
