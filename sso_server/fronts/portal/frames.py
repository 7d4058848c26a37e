"""The page whose frames tell sites of a sign-out (Front-Channel Logout 1.0). It goes on by itself: when all are loaded,
after two seconds, or by its link. The session is over before, whatever comes of it.
"""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from sso_server.fronts.portal.client_face import name_of
from sso_server.fronts.portal.forms import read_query
from sso_server.web.frames import PAGE, read_frames
from sso_server.web.responses import allow_frames, see_other

blueprint = Blueprint("frames", __name__)


@blueprint.get(PAGE)
def show() -> ResponseReturnValue:
    """The frames. Nothing here is decided by the address: it is sealed, and only an ended session's sites are in it."""
    frames, goes_on_at = read_frames(read_query(request).get("of", ""))
    if not frames:
        return see_other(goes_on_at or "/signed-out")
    allow_frames([frame.address for frame in frames])
    names = [name_of(frame.client) for frame in frames]
    return render_template("frames.html", frames=frames, names=names, goes_on_at=goes_on_at, person=None)
