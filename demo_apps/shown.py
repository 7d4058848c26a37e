"""What the demo site shows: its one page, in the visitor's language, and the SDK's log in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Response, current_app, make_response, render_template, request

from demo_apps.neighbour import Answer
from demo_apps.words import WORDS, event_text
from sso_client.flask import SSO

EVENTS_SHOWN = 14
PROTOCOLS = {"oidc": "OpenID Connect", "cas": "CAS"}


def show(sso: SSO, *, answer: Answer | None = None, token: str = "", remembers: bool = False) -> Response:
    """The one page there is: the state in large letters, how it came about, what the other site said, the log."""
    session = sso.session
    lines = [
        (wall_time(event.at_ms), event_text(_language(), event), event.kind)
        for event in sso.recent_events(EVENTS_SHOWN)
    ]
    return page(
        "site.html",
        session=session,
        user=session and session.user,
        answer=answer,
        token_end=token[-6:],
        remembers=remembers,
        lines=lines,
        protocol=PROTOCOLS[sso.client.settings.protocol],
        others=[(address, urlsplit(address).hostname) for address in current_app.config["OTHER"].split()],
    )


def page(template: str, status: int = 200, **shown: Any) -> Response:
    """A template as a response that no cache keeps."""
    response = make_response(render_template(template, words=WORDS[_language()], **shown), status)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; base-uri 'none'"
    )
    response.vary.update(("Cookie", "Accept-Language"))
    return response


def wall_time(at_ms: int) -> str:
    """A moment as this machine's wall shows it."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).astimezone().strftime("%H:%M:%S")


def _language() -> str:
    return request.accept_languages.best_match(WORDS, "en")
