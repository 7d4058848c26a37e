"""A site's sign-in request on its way through our own pages, sealed: the asking front hands it over, and takes it back.

Nothing is stored for a stranger, and the seal grants nothing: whoever takes a request back checks all of it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Request

from sso_server.core.errors import InvalidRequest
from sso_server.web.services import services


def hand_over(
    front: str, params: Mapping[str, str], client_id: str, asked_at: int, came: Mapping[str, object] | None = None
) -> str:
    """The seal. `front`: the path where the asking front takes over again; `client_id` is empty if no site asks;
    `asked_at` in ms; `came`: what the front must know again and no parameter may say."""
    payload = {"front": front, "params": dict(params), "client_id": client_id, "asked_at": asked_at}
    return services().seals.seal("sign-in", {**(came or {}), **payload})


def take_back(request: Request, front: str) -> tuple[dict[str, str], dict[str, Any]]:
    """The request's parameters, and all that the seal says by now (`typed`, `warned`). Raises InvalidRequest for a seal
    that isn't ours, or is another front's."""
    sealed = services().seals.open("sign-in", request.args.get("request", "")) or {}
    params = sealed.get("params")
    if sealed.get("front") != front or not isinstance(params, dict):
        raise InvalidRequest("This sign-in link is damaged. Go back to the site and start again.")
    return params, sealed
