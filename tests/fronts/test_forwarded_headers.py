"""Who a request is from, and by which scheme it came: a proxy says so where it is trusted (RFC 9700 section 4.13)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from sso_server.web.client_ip import TrustedProxies

PROXY, STRANGER, CALLER = "10.0.0.1", "203.0.113.9", "198.51.100.7"


def seen(remote: str, **headers: str) -> dict[str, Any]:
    """What the rest of the centre sees of a request from this address, behind a trusted 10.0.0.0/8."""
    found: dict[str, Any] = {}

    def centre(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found.update(environ)
        start_response("204 No Content", [])
        return []

    names = {name.replace("_", "-"): value for name, value in headers.items()}
    environ = create_environ("/token", "http://sso.example.com", headers=names, environ_base={"REMOTE_ADDR": remote})
    run_wsgi_app(TrustedProxies(centre, (ipaddress.ip_network("10.0.0.0/8"),)), environ)
    return found


@pytest.mark.covers("line-44")
def test_a_trusted_proxy_says_who_calls_and_by_https() -> None:
    found = seen(PROXY, X_Forwarded_For=CALLER, X_Forwarded_Proto="https")
    assert (found["REMOTE_ADDR"], found["wsgi.url_scheme"]) == (CALLER, "https")


@pytest.mark.covers("line-44")
def test_a_stranger_says_nothing() -> None:
    found = seen(STRANGER, X_Forwarded_For=CALLER, X_Forwarded_Proto="https", X_Forwarded_Host="evil.example")
    assert (found["REMOTE_ADDR"], found["wsgi.url_scheme"]) == (STRANGER, "http")
    assert [name for name in found if name.startswith("HTTP_X_FORWARDED")] == []
    assert found["HTTP_HOST"] == "sso.example.com"


@pytest.mark.covers("line-44")
@pytest.mark.parametrize(
    ("chain", "caller"),
    [
        ("203.0.113.66, 198.51.100.7", CALLER),
        ("198.51.100.7, 10.0.0.2", CALLER),
        ("nonsense, 198.51.100.7, 10.0.0.2", CALLER),
        ("198.51.100.7, nonsense", PROXY),
        ("198.51.100.7:4711", PROXY),
        ("", PROXY),
    ],
)
def test_only_what_stands_right_of_the_callers_address_is_believed(chain: str, caller: str) -> None:
    assert seen(PROXY, X_Forwarded_For=chain)["REMOTE_ADDR"] == caller
