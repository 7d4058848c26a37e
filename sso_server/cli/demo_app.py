"""The centre's app as `sso demo` runs it: what `sso serve` runs, and the live map beside it."""

from __future__ import annotations

from flask import Flask

from sso_server.app import create_app as create_centre
from sso_server.fronts import demo


def create_app() -> Flask:
    """For gunicorn. Raises ConfigError."""
    return create_centre(more_fronts=(demo,))
