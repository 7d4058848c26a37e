"""`/demo/map`, the page, and `/demo/map.json`, the same for programs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from flask import Blueprint, Response, make_response, render_template, request

from sso_server.fronts.demo.picture import draw
from sso_server.fronts.demo.switches import switches
from sso_server.fronts.demo.words import WORDS
from sso_server.web.responses import json_answer
from sso_server.web.services import services

blueprint = Blueprint("demo", __name__, url_prefix="/demo", template_folder="templates", static_folder="static")


@blueprint.get("/map")
def show_map() -> Response:
    """Drawn by the server; the script fetches the page each second and swaps the picture if it changed."""
    language = request.accept_languages.best_match(WORDS, "en")
    return make_response(
        render_template(
            "demo/map.html",
            words=WORDS[language],
            sessions=draw(services()),
            now=services().clock.now(),
            switches=switches(),
            clock=_clock,
        )
    )


@blueprint.get("/map.json")
def map_json() -> Response:
    """The map as data."""
    thrown = switches()
    return json_answer(
        {
            "sessions": [asdict(session) for session in draw(services())],
            "site_two_is_cut_off": thrown.cable.is_on,
            "next_sign_out_kills": thrown.kill.is_on,
            "killed_at": thrown.killed_at,
        }
    )


def _clock(moment: int) -> str:
    """A moment (ms) as this machine's wall shows it."""
    return datetime.fromtimestamp(moment / 1000, tz=UTC).astimezone().strftime("%H:%M:%S")
