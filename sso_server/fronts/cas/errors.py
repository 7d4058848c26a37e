"""What can be wrong with a service that asks: shown on a page, never by a redirect (CAS 3.0.3 section 2.1.1)."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from urllib.parse import urlsplit

from sso_server.core.clients import CAS, Client
from sso_server.core.errors import InvalidRequest
from sso_server.core.service_urls import check_service, normal_form


class ServiceUnknown(InvalidRequest):
    """No client has this service: whoever sent the browser gets neither a ticket nor the browser."""

    def __init__(self, received: str, clients: Iterable[Client]) -> None:
        known = {client.client_id: client for client in clients}
        near = _on_same_host(received, known.values())
        registered = list(near.cas_services) if near else []
        super().__init__(
            "The service is not registered.",
            detail=f"service: received {received[:300]!r}, registered for this host {registered!r}",
            code="service_unknown",
        )
        command, reason = _mending(received, near, known)
        self.mismatch = {"received": received, "registered": registered, "command": command, "reason": reason}


def _mending(received: str, near: Client | None, known: dict[str, Client]) -> tuple[str, str]:
    """The command that registers the service's whole site, quoted for a shell, or why nobody could register it."""
    try:
        parts = urlsplit(normal_form(received))
        site = check_service(f"{parts.scheme}://{parts.netloc}/")
    except InvalidRequest as error:
        return "", error.description
    if near is not None:
        options = " ".join(f"--cas-service {shlex.quote(url)}" for url in (*near.cas_services, site))
        return f"sso client update {near.client_id} {options}", ""
    return f"sso client add {_new_id(parts.hostname or '', parts.port, known)} --cas-service {shlex.quote(site)}", ""


def _on_same_host(received: str, clients: Iterable[Client]) -> Client | None:
    host = _host(received)
    same = (c for c in clients if c.kind == CAS and host and host in map(_host, c.cas_services))
    return next(same, None)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _new_id(host: str, port: int | None, known: dict[str, Client]) -> str:
    """A name for the client that nobody has yet: the host's first label, or the port of a site on this machine."""
    label = host.partition(".")[0]
    name = label if label and not label.isdigit() and label != "localhost" and "[" not in host else f"site-{port or 80}"
    if ":" in host:
        name = f"site-{port or 80}"
    candidates = (name, *(f"{name}-{number}" for number in range(2, len(known) + 3)))
    return next(one for one in candidates if one not in known)
