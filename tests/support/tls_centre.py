"""A centre behind nginx, which ends TLS, as clients want it that speak nothing but https."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.browser import Browser
from tests.support.centre import Centre
from tests.support.certificates import Authority, make_authority
from tests.support.nginx import running_nginx
from tests.support.ports import free_port

_SERVER = """
    server {{
        listen 127.0.0.1:{front} ssl;
        ssl_certificate {directory}/127.0.0.1.pem;
        ssl_certificate_key {directory}/127.0.0.1.pem;
        location / {{
            proxy_pass http://127.0.0.1:{port};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto https;
        }}
    }}
"""


@dataclass
class TlsCentre:
    """`url` is what people and sites know; everything else is the centre behind it."""

    centre: Centre
    url: str
    port: int
    authority: Authority

    @property
    def ca_file(self) -> str:
        """What callers trust."""
        return self.authority.ca_file

    def certificate(self, host: str) -> str:
        """A file with a key and a certificate for a site's host."""
        self.authority.context(host)
        return str(self.authority.directory / f"{host}.pem")

    def browser(self) -> Browser:
        """One that trusts the authority."""
        browser = Browser()
        browser.http.verify = self.ca_file
        return browser


@contextlib.contextmanager
def running_tls_centre(directory: Path) -> Iterator[TlsCentre]:
    """Both running. The centre trusts the authority, so sites of its own may have certificates from there."""
    authority = make_authority(directory)
    authority.context("127.0.0.1")
    front = free_port()
    url = f"https://127.0.0.1:{front}"
    settings = {"SSO_ISSUER": url, "SSO_TRUSTED_PROXIES": "127.0.0.1", "SSL_CERT_FILE": authority.ca_file}
    centre = Centre(directory, settings=settings)
    inside = _SERVER.format(front=front, port=centre.port, directory=directory)
    with running_nginx(directory / "nginx", inside, front):
        try:
            centre.start()
            yield TlsCentre(centre, url, front, authority)
        finally:
            centre.process.stop()
