"""`/healthz` (this process lives), `/readyz` (it can do its work), `/metrics` (loopback callers only)."""

from __future__ import annotations

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from werkzeug.exceptions import NotFound

from sso_server.core.clients import is_loopback_host
from sso_server.core.errors import Unavailable
from sso_server.web.client_ip import came_through_proxy
from sso_server.web.responses import json_answer
from sso_server.web.services import services

blueprint = Blueprint("health", __name__)
MAX_CLOCK_DIFFERENCE_MS = 2000
#: What `Services.health` looks at, in its order; without Redis there is only the first.
STORE_NAMES = ("The database", "Redis")


@blueprint.get("/healthz")
def healthz() -> Response:
    """Touches no store."""
    return json_answer({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """503 with the reasons when a store is away or this node's clock is more than 2 s off the store's.

    Anybody may ask: which part is away is said here, where it stands and what it answered only in the logs.
    """
    reasons = []
    warnings = []
    for name, health in zip(STORE_NAMES, services().health, strict=False):
        try:
            difference = abs(health.store_time() - services().clock.now())
            warnings += health.problems()
        except Unavailable:
            reasons.append(f"{name} cannot answer right now.")
            continue
        if difference > MAX_CLOCK_DIFFERENCE_MS:
            reasons.append(f"{name}: its clock and this node's differ by {difference} ms.")
    if not reasons and services().restorations.is_unfinished():
        # Still ready: everything but a check-in is answered, and another node couldn't answer that either.
        warnings.append("The store of sessions went back in time; no check-in is answered until it is put right.")
    body = {"status": "ok" if not reasons else "not ready", "reasons": reasons, "warnings": warnings}
    return json_answer(body, 503 if reasons else 200)


@blueprint.get("/metrics")
def metrics() -> Response:
    """What the store knows, for Prometheus; other callers than loopback get 404, and so does what a proxy brings."""
    if not is_loopback_host(request.remote_addr) or came_through_proxy(request.environ):
        raise NotFound
    registry = CollectorRegistry()
    live = Gauge("lockstep_sessions_live", "Sessions that are not ended.", registry=registry)
    lag = Gauge(
        "lockstep_sweeper_lag_seconds", "How long the oldest due session has waited for the sweeper.", registry=registry
    )
    live.set(services().lists.count_live(services().clock.now()))
    lag.set(services().sign_out.lag_ms() / 1000)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
