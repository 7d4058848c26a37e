"""Facts about addresses, framework-free: origins, loopback, and which `next` pages are this site's own."""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

MAX_NEXT = 1024  # characters: longer ones would fill the browser's cookie header when ten tabs sign in at once

_UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


def origin_of(url: str) -> str | None:
    """`scheme://host[:port]` in lower case without a default port, or None if the URL has no usable origin."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = 443 if parts.scheme == "https" else 80
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != default else "")


def is_loopback(host: str) -> bool:
    """True for 127.0.0.0/8, ::1, localhost and *.localhost, with or without a port (RFC 6761 section 6.3)."""
    try:
        name = urlsplit(f"//{host}" if host.count(":") < 2 or host.startswith("[") else f"//[{host}]").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_trustworthy(url: str) -> bool:
    """True if secrets may travel to this origin: https, or http to loopback."""
    origin = origin_of(url)
    return origin is not None and (origin.startswith("https://") or is_loopback(urlsplit(url).netloc))


def safe_next(value: str | None, longest: int = MAX_NEXT) -> str:
    """The page to go to after signing in, in ASCII: a path of this very origin, or "/" for anything else."""
    if not value or len(value) > longest or value[0] != "/" or _UNSAFE.search(value):
        return "/"
    value = in_ascii(value)
    if len(value) > longest:
        return "/"
    # Browsers drop tabs and newlines and read "\" as "/": what looks like one slash may be the start of a host name.
    # A second decoding by something on the way must not make one either.
    path = re.sub(r"[\x00-\x20]", "", unquote(unquote(value.partition("?")[0]))).replace("\\", "/")
    return "/" if path.startswith("//") else value


def in_ascii(url: str) -> str:
    """An address as a header can carry it: whatever isn't ASCII in UTF-8 and percents (RFC 3986 section 2.5)."""
    return _NOT_ASCII.sub(lambda found: quote(found.group(), errors="replace"), url)


def page_address(path: str, query: bytes) -> str:
    """A decoded path and a raw query string as a browser would ask for them."""
    address = quote(path, safe="/:@!$&'()*+,;=~")
    return f"{address}?{quote(query, safe='/?:@!$&()*+,;=~%')}" if query else address


def with_query(endpoint: str, query: Mapping[str, str]) -> str:
    """Add parameters to an endpoint that may have a query of its own (RFC 6749 section 3.1)."""
    parts = urlsplit(endpoint)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(query))))))
