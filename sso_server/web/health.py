"""`/healthz` (this process lives), `/readyz` (it can do its work), `/metrics` (for this machine and named networks)."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from sso_server.core.uris import is_loopback_host
from sso_server.web.client_ip import came_through_proxy
from sso_server.web.responses import json_answer
from sso_server.web.services import services

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Touches no store."""
    return json_answer({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """503 with the reasons while this node must get no requests. The checks are `web.readiness`'.

    Anybody may ask: which part is away is said here, where it stands and what it answered only in the logs. Warnings
    name servers and settings: they are for those who may read the numbers.
    """
    report = services().readiness.report()
    body: dict[str, object] = {"status": "not ready" if report.reasons else "ok", "reasons": report.reasons}
    if _is_an_operator():
        body["warnings"] = report.warnings
    return json_answer(body, 503 if report.reasons else 200)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Numbers for Prometheus. Other callers get 404."""
    if not _is_an_operator():
        raise NotFound
    watch = services().watch
    return Response(watch.text(), content_type=watch.content_type)


def _is_an_operator() -> bool:
    """Who asks from this machine, or from a named network, and not through a proxy: that makes everybody look local."""
    if came_through_proxy(request.environ):
        return False
    caller = _address(request.remote_addr or "")
    if caller is None:
        return False
    if any(caller in network for network in services().site.metrics_networks):
        return True
    # A proxy on this machine that leaves no trace (TCP only) passes on the name that the world asked for.
    try:
        asked = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return False
    return caller.is_loopback and (is_loopback_host(asked) or _address(asked) is not None)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
