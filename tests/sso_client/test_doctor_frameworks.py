"""The doctor finds nothing to mend at a good site, whichever framework it is made with."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from sso_client.starlette import SSO
from sso_client.wsgi import SSOMiddleware
from tests.support.examined import SECRET, Shop, findings_of, troubles
from tests.support.ports import free_port
from tests.support.sdk import wait_until


@contextmanager
def on_an_event_loop(app: Any) -> Iterator[str]:
    """An ASGI application under uvicorn; its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def starlette_site(shop: Shop, options: dict[str, Any]) -> Iterator[str]:
    sso = SSO(**options)
    app = Starlette(lifespan=sso.lifespan)
    sso.mount(app)
    with on_an_event_loop(app) as url:
        yield url


@contextmanager
def wsgi_site(shop: Shop, options: dict[str, Any]) -> Iterator[str]:
    def old_application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"behind it"]

    yield shop.run(SSOMiddleware(old_application, **options))


@pytest.mark.parametrize("serve", [starlette_site, wsgi_site])
def test_a_good_site_gets_no_word_of_blame(shop: Shop, serve: Callable[..., Any]) -> None:
    options = {"issuer": shop.centre.issuer, "client_id": "shop", "client_secret": SECRET, "store": shop.store}
    with serve(shop, options) as url:
        shop.centre.register(url)
        found = findings_of(shop.settings(base_url=url, store=shop.store), url)
    assert troubles(found) == {}
    assert {finding.level.value for finding in found.values()} == {"ok"}
