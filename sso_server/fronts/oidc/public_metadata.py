"""Answers that anybody may read and keep for a while: ETag, public cache, open to scripts of every origin."""

from __future__ import annotations

from typing import Any

from flask import Request, Response

from sso_server.web.responses import json_answer

#: A next signing key is announced longer than this before it signs.
MAX_AGE_S = 300


def public_answer(request: Request, body: dict[str, Any]) -> Response:
    """The body, or 304 when the caller has it already."""
    response = json_answer(body, Cache_Control=f"public, max-age={MAX_AGE_S}", Access_Control_Allow_Origin="*")
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.add_etag()
    response.make_conditional(request)
    return response
