"""The demo's two switches: files in its data directory, so that every process of the demo sees the same.

What a switch does is done elsewhere (`cli/demo_cable.py`, `cli/demo_kill.py`); here they are read and thrown.
"""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, current_app, request, url_for

from sso_server.core.records import record
from sso_server.web.responses import see_other

blueprint = Blueprint("demo_switches", __name__, url_prefix="/demo")
EXTENSION = "lockstep_demo_switches"


@record
class Switch:
    """On while its file exists."""

    path: Path

    @property
    def is_on(self) -> bool:
        """As of now."""
        return self.path.exists()

    def turn(self, on: bool) -> None:
        """Once or ten times, it is the same."""
        if on:
            self.path.touch(mode=0o600)
        else:
            self.path.unlink(missing_ok=True)


@record
class Switches:
    """Both, in one directory."""

    directory: Path

    @property
    def cable(self) -> Switch:
        """On: the connection between the centre and site two is cut, both ways."""
        return Switch(self.directory / "site-two-is-cut-off")

    @property
    def kill(self) -> Switch:
        """On: the centre is killed right after the next sign-out."""
        return Switch(self.directory / "next-sign-out-kills-the-centre")

    @property
    def killed_at(self) -> int | None:
        """When the second switch last did its work (ms)."""
        try:
            return int((self.directory / "killed-at").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def note_killed(self, at: int) -> None:
        """It has done its work, once."""
        (self.directory / "killed-at").write_text(str(at), encoding="ascii")
        self.kill.turn(on=False)

    def reset(self) -> None:
        """As a demo starts."""
        for path in (self.cable.path, self.kill.path, self.directory / "killed-at"):
            path.unlink(missing_ok=True)


def switches() -> Switches:
    """Those of the current app."""
    found = current_app.extensions[EXTENSION]
    assert isinstance(found, Switches)  # noqa: S101  (cli/demo_app.py put it there)
    return found


@blueprint.post("/switches/cable")
def throw_cable() -> Response:
    """`on`: 1 cuts, anything else mends. The form's token keeps foreign pages from throwing it."""
    switches().cable.turn(on=request.form.get("on") == "1")
    return see_other(url_for("demo.show_map"))


@blueprint.post("/switches/kill")
def throw_kill() -> Response:
    """`on`: 1 arms, anything else disarms."""
    switches().kill.turn(on=request.form.get("on") == "1")
    return see_other(url_for("demo.show_map"))
