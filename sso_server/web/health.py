"""`/healthz` (this process lives), `/readyz` (it can do its work), `/metrics` (for this machine and named networks)."""

from __future__ import annotations

import ipaddress

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from sso_server.core.clients import is_loopback_host
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

    Anybody may ask: which part is away is said here, where it stands and what it answered only in the logs.
    """
    report = services().readiness.report()
    status = "not ready" if report.reasons else "ok"
    body = {"status": status, "reasons": report.reasons, "warnings": report.warnings}
    return json_answer(body, 503 if report.reasons else 200)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Numbers for Prometheus. Other callers get 404, and so does what a proxy brings: it makes everybody look local."""
    if came_through_proxy(request.environ) or not _may_read(request.remote_addr or ""):
        raise NotFound
    watch = services().watch
    return Response(watch.text(), content_type=watch.content_type)


def _may_read(address: str) -> bool:
    if is_loopback_host(address):
        return True
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(caller in network for network in services().site.metrics_networks)
