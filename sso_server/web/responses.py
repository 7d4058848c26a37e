"""Headers that every answer carries, and small answers. One `after_request`, no library: it is this list."""

from __future__ import annotations

from functools import cache
from json import JSONEncoder
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, g, redirect, request

from sso_server.core.frontchannel import origin_of
from sso_server.web.edge import Answer, Headers
from sso_server.web.services import of

#: The way of a browser that comes from a site and goes back. Sites open it in a popup and wait for its answer, which
#: `same-origin` would take from them: the popup's `opener` would be gone, also after a redirect alone.
_IN_POPUPS = frozenset(
    {"oidc_authorize", "oidc_end_session", "cas_login", "cas_logout", "sign_in", "consent", "go_on", "language",
     "sign_out", "signed_out", "frames"}
)  # fmt: skip
_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)
_UNFRAMED = (("X-Frame-Options", "DENY"),)
_UNKEPT = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
#: As Flask writes JSON, but made once: 5 of 7 us an answer.
_JSON = JSONEncoder(sort_keys=True, separators=(",", ":"))


def install_headers(app: Flask) -> None:
    """Security headers on every answer; `no-store` on everything that isn't a static file or public metadata."""
    for_tls = (("Strict-Transport-Security", "max-age=31536000"),) if of(app).site.is_https else ()

    @cache
    def always(framed: bool, in_popup: bool, kept: bool) -> Headers:
        # Without these three the list is the same for all answers: made once, and sent as it is (`web/edge`).
        return (
            *_ALWAYS,
            *(() if framed else _UNFRAMED),
            ("Cross-Origin-Opener-Policy", "unsafe-none" if in_popup else "same-origin"),
            ("Cross-Origin-Resource-Policy", "cross-origin" if framed else "same-origin"),
            *for_tls,
            *(() if kept else _UNKEPT),
        )

    @app.after_request
    def _headers(response: Response) -> Response:
        endpoint, framed = request.endpoint or "", "may_be_framed" in g
        if response.headers.get("Content-Type", "").startswith("text/html"):
            _set_policy(response, "*" if framed else "'none'")
        kept = endpoint == "static" or "Cache-Control" in response.headers
        response.unless_set = always(framed, endpoint.rpartition(".")[0] in _IN_POPUPS, kept)  # type: ignore[attr-defined]
        return response


def _set_policy(response: Response, ancestors: str) -> None:
    # Chromium applies form-action to every redirect that follows a form, too: those that the asking site makes on its
    # own way included, and where they lead nobody here knows.
    targets = " ".join(["'self'", *getattr(g, "form_targets", ())])
    frames = f"frame-src {g.frame_origins}; " if "frame_origins" in g else ""
    images = "".join(f" {origin}" for origin in getattr(g, "image_origins", ()))
    response.headers.setdefault(
        "Content-Security-Policy",
        f"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:{images}; "
        f"connect-src 'self'; form-action {targets}; {frames}frame-ancestors {ancestors}; base-uri 'none'",
    )


def allow_form_target(uri: str) -> None:
    """The form on this page may lead to this URI by redirects, and on from there: its scheme is what can be said. Only
    ever called with a registered URI, and plain http is registered on loopback alone."""
    g.form_targets = dict.fromkeys((*getattr(g, "form_targets", ()), "https:", f"{urlsplit(uri).scheme}:"))


def allow_frames(uris: list[str]) -> None:
    """This page may load these registered addresses in frames, and nothing else of anybody's."""
    g.frame_origins = " ".join(sorted({origin_of(uri) for uri in uris}))


def allow_framing() -> None:
    """Any page may load this one in a frame: only for one that has nothing to see and nothing to press."""
    g.may_be_framed = True


def allow_image(uri: str) -> None:
    """This page may show images of this address's origin; of nobody's whose name could be read as more than one."""
    if origin := origin_of(uri):
        g.image_origins = dict.fromkeys((*getattr(g, "image_origins", ()), origin))


def see_other(uri: str) -> Response:
    """303, never 307: a form's content must not travel on (RFC 9700 section 4.12)."""
    response = redirect(uri, 303)
    assert isinstance(response, Response)  # noqa: S101  (Flask's redirect gives werkzeug's base type)
    return response


def json_answer(body: dict[str, Any], status: int = 200, **headers: str) -> Response:
    """JSON; underscores in header names become dashes."""
    response = Answer(_JSON.encode(body) + "\n", status, content_type="application/json")
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response
