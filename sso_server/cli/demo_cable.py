"""The cable between the centre and site two, which the demo's first switch cuts: at both ends a layer around the app.

Cut, each end drops the other's calls as a broken network would: the connection is closed, no answer comes. The
centre knows site two's calls by its credentials; what needs none (the discovery document, the key set) says nothing
about anybody and still answers. Browsers reach both as before: they take another way.
"""

from __future__ import annotations

import base64
import binascii
import errno
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from demo_apps import site
from sso_server.fronts.demo.switches import Switch

CUT_OFF = "site-two"
_Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Cable:
    """One end of it. `is_theirs` says of a request (its WSGI environment) whether it comes from the other end."""

    def __init__(self, app: _Wsgi, switch: Switch, is_theirs: Callable[[dict[str, Any]], bool]) -> None:
        self._app = app
        self._switch = switch
        self._is_theirs = is_theirs

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Raises ConnectionResetError where the cable is cut: gunicorn then closes the connection without a word."""
        if self._is_theirs(environ) and self._switch.is_on:
            raise ConnectionResetError(errno.ECONNRESET, "the demo's cable is cut")
        return self._app(environ, start_response)


def is_from_site_two(environ: dict[str, Any]) -> bool:
    """A call of site two to the centre, by the id in its HTTP Basic credentials (RFC 6749 section 2.3.1)."""
    scheme, _, credentials = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    try:
        client_id, _, _ = base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return False
    return scheme.lower() == "basic" and unquote_plus(client_id) == CUT_OFF


def is_logout_call(environ: dict[str, Any]) -> bool:
    """A call of the centre to a site."""
    return (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == ("POST", "/sso/backchannel-logout")


def create_site() -> Cable:
    """Site two for gunicorn: the demo site as it is, at the end of the cable. `SITE_CABLE` names the switch's file."""
    app = site.create_app()
    return Cable(app, Switch(Path(app.config["CABLE"])), is_logout_call)
