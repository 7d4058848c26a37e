"""`sso serve` and `sso deliver`: the commands that run until they are stopped. What they run is in serve.py."""

from __future__ import annotations

import click

from sso_server.cli import serve as supervisor
from sso_server.cli.arguments import address
from sso_server.cli.output import Failed
from sso_server.config import load


@click.command("serve")
@click.option("--bind", type=address, default="127.0.0.1:9000", show_default=True, help="Where to listen.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Web worker processes.")
def serve_command(bind: str, workers: int) -> None:
    """Run the centre: web workers and the delivery process."""
    try:
        code = supervisor.serve(load(), bind, workers)
    except supervisor.PortTaken as error:
        raise Failed(str(error)) from error
    raise SystemExit(code)


@click.command("deliver")
def deliver_command() -> None:
    """Run only the delivery process: telling sites, ending what is due."""
    raise SystemExit(supervisor.deliver(load()))
