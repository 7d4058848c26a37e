"""Which of a proxy's words the application gets to see."""

import ipaddress
from typing import Any

import pytest

from sso_server.web.client_ip import TrustedProxies


@pytest.mark.parametrize("caller", ["10.0.0.1", "192.0.2.1"])
@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PREFIX", "HTTP_FORWARDED"])
def test_no_proxy_says_what_the_centre_is_called_trusted_or_not(caller: str, header: str) -> None:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], _: object) -> list[bytes]:
        seen.update(environ)
        return []

    environ = {"REMOTE_ADDR": caller, "HTTP_X_FORWARDED_PROTO": "https", header: "evil.example"}
    TrustedProxies(app, (ipaddress.ip_network("10.0.0.0/8"),))(environ, lambda *_: None)
    assert header not in seen
    assert seen["REMOTE_ADDR"] == caller
