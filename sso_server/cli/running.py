"""`sso serve` and `sso deliver`: the commands that run until they are stopped. What they run is in serve.py."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import click

from sso_server.cli import serve as supervisor
from sso_server.cli.arguments import address
from sso_server.cli.door import PortTaken
from sso_server.cli.output import Failed
from sso_server.config import Settings, load


@click.command("serve")
@click.option(
    "--bind", type=address, metavar="HOST:PORT", help="Where to listen; by default the issuer's port on 127.0.0.1."
)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Web worker processes.")
@click.option(
    "--web-server",
    type=click.Choice(("gunicorn", "granian")),
    help="What answers requests; by default what SSO_WEB_SERVER says, or gunicorn.",
)
def serve_command(bind: str | None, workers: int, web_server: str | None) -> None:
    """Run the centre: web workers and the delivery process."""
    chosen: dict[str, Any] = {"web_server": web_server} if web_server else {}
    try:
        settings = load(**chosen)
        code = supervisor.serve(settings, bind or _default_address(settings), workers)
    except PortTaken as error:
        raise Failed(f"{error} Another address: sso serve --bind HOST:PORT") from error
    raise SystemExit(code)


def _default_address(settings: Settings) -> str:
    """Behind a proxy (https) nobody knows the port to use: 9000."""
    port = None if settings.is_https else urlsplit(settings.issuer).port
    return f"127.0.0.1:{port or 9000}"


@click.command("deliver")
@click.option(
    "--metrics",
    type=address,
    metavar="HOST:PORT",
    help="Where to answer /metrics, if no web worker of this node does.",
)
def deliver_command(metrics: str | None) -> None:
    """Run only the delivery process: telling sites, ending what is due."""
    try:
        code = supervisor.deliver(load(), metrics)
    except PortTaken as error:
        raise Failed(str(error)) from error
    raise SystemExit(code)
