"""Who is calling: believes forwarding headers only from trusted networks, and removes them otherwise."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_HEADERS = frozenset(
    {
        "HTTP_X_FORWARDED_FOR",
        "HTTP_X_FORWARDED_PROTO",
        "HTTP_X_FORWARDED_HOST",
        "HTTP_X_FORWARDED_PORT",
        "HTTP_X_FORWARDED_PREFIX",
        "HTTP_FORWARDED",
        "HTTP_X_REAL_IP",
    }
)
_TRACES = _HEADERS | {"HTTP_VIA", "HTTP_X_CLIENT_IP", "HTTP_TRUE_CLIENT_IP", "HTTP_CF_CONNECTING_IP"}
_CAME_THROUGH_PROXY = "lockstep.came_through_proxy"


def came_through_proxy(environ: WSGIEnvironment) -> bool:
    """Whether a proxy left any trace, trusted or not: then a caller on loopback may be anybody."""
    return bool(environ.get(_CAME_THROUGH_PROXY, True))


class TrustedProxies:
    """WSGI middleware: sets REMOTE_ADDR and the scheme from a trusted proxy's headers."""

    def __init__(self, app: WSGIApplication, networks: tuple[Network, ...]) -> None:
        self._app = app
        self._networks = networks
        # Proxies are few, and so are those who call without one.
        self._is_trusted = lru_cache(maxsize=1024)(self._look_up)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI."""
        forwarded = str(environ.get("HTTP_X_FORWARDED_FOR", ""))
        scheme = str(environ.get("HTTP_X_FORWARDED_PROTO", "")).strip().lower()
        trusted = self._is_trusted(str(environ.get("REMOTE_ADDR", "")))
        environ[_CAME_THROUGH_PROXY] = has_traces = not _TRACES.isdisjoint(environ)
        if has_traces:
            for header in _HEADERS & environ.keys():
                del environ[header]
        if not trusted:
            # What the request is called in our logs is for us to say, or for our own proxy.
            environ.pop("HTTP_X_REQUEST_ID", None)
        if trusted:
            # From the right: the first address that isn't a trusted proxy's is the caller's; what stands left of it
            # may be forged.
            for hop in (h.strip() for h in reversed(forwarded.split(","))):
                if not _is_address(hop):
                    break
                environ["REMOTE_ADDR"] = hop
                if not self._is_trusted(hop):
                    break
            if scheme in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
        return self._app(environ, start_response)

    def _look_up(self, text: str) -> bool:
        return _is_address(text) and any(ipaddress.ip_address(text) in network for network in self._networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
