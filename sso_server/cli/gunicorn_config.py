"""gunicorn's settings for the centre. Forwarding headers are our own matter (web/client_ip.py), so gunicorn trusts
nobody's.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
from typing import Any

from sso_server.cli.gunicorn_worker import LeavingWorker
from sso_server.config import load
from sso_server.core.errors import Unavailable
from sso_server.logs import take_over_logging
from sso_server.web import services
from sso_server.web.waiting import WEB_THREADS

worker_class = "sso_server.cli.gunicorn_worker.LeavingWorker"
# Most of a request is waiting for a store, and nine may stand in line for a password's hash (crypto/passwords.py): the
# others are there for check-ins and tokens. A quarter may hold polls that wait.
threads = WEB_THREADS
keepalive = 5
timeout = 30
graceful_timeout = 8
# A sealed sign-in request travels in the URL.
limit_request_line = 8190
limit_request_fields = 60
forwarded_allow_ips = ""
proxy_allow_ips = ""
control_socket_disable = True
umask = 0o077
accesslog = None
errorlog = "-"
loglevel = "warning"


def on_starting(server: Any) -> None:
    """The program is read once, before the workers are forked: they share its memory, and one that has died is back in
    a few milliseconds. Only modules: stores, keys and connections each worker opens for itself."""
    settings = load()
    take_over_logging(settings.log_format)
    LeavingWorker.own_cores = settings.own_cores
    importlib.import_module(server.app.app_uri.partition(":")[0])
    # Else the first collection in each worker would touch, and so copy, every page of it.
    gc.freeze()


def post_worker_init(worker: Any) -> None:
    """Requests that wait are answered when the worker is told to stop: else it would wait for them, and then cut them
    off."""
    here = services.of(worker.wsgi)
    here.waiting.close_when(lambda: not worker.alive)
    here.readiness.not_when(lambda: not worker.alive)
    with contextlib.suppress(Unavailable):
        # Read now, published from memory for as long as the database may be away.
        here.signer.jwks()
