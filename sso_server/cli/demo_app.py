"""The centre's app as `sso demo` runs it: what `sso serve` runs, the live map beside it, and the end of a cable."""

from __future__ import annotations

from flask import Flask

from sso_server.app import create_app as create_centre
from sso_server.cli.demo_cable import Cable, is_from_site_two
from sso_server.config import load
from sso_server.fronts import demo
from sso_server.fronts.demo.switches import EXTENSION, Switches


def create_app() -> Flask:
    """For gunicorn. Raises ConfigError."""
    settings = load()
    switches = Switches(settings.data_dir)
    app = create_centre(settings, more_fronts=(demo,))
    app.extensions[EXTENSION] = switches
    app.wsgi_app = Cable(app.wsgi_app, switches.cable, is_from_site_two)  # type: ignore[method-assign]
    return app
