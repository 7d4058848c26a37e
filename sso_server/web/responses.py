"""Headers that every answer carries, and small answers. One `after_request`, no library: it is this list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from json import JSONEncoder
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from markupsafe import escape

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


@dataclass(slots=True)
class _Policy:
    """What this page may do that others may not."""

    form_targets: tuple[str, ...] = ()
    frames: str = ""
    images: tuple[str, ...] = ()
    is_framed: bool = False

    def text(self) -> str:
        """Content Security Policy."""
        # Chromium applies form-action to every redirect that follows a form, too: those that the asking site makes on
        # its own way included, and where they lead nobody here knows.
        targets = " ".join(("'self'", *self.form_targets))
        frames = f"frame-src {self.frames}; " if self.frames else ""
        images = "".join(f" {origin}" for origin in self.images)
        ancestors = "*" if self.is_framed else "'none'"
        return (
            f"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:{images}; "
            f"connect-src 'self'; form-action {targets}; {frames}frame-ancestors {ancestors}; base-uri 'none'"
        )


_USUAL = _Policy()


def install_headers(app: Flask) -> None:
    """Security headers on every answer; `no-store` on everything that isn't a static file or public metadata."""
    for_tls = (("Strict-Transport-Security", "max-age=31536000"),) if of(app).site.is_https else ()

    @cache
    def always(is_framed: bool, in_popup: bool, is_kept: bool, is_page: bool) -> tuple[Headers, frozenset[str]]:
        # But for these four the list is the same for all answers: made once, and sent as it is.
        headers = (
            *_ALWAYS,
            *(() if is_framed else _UNFRAMED),
            ("Cross-Origin-Opener-Policy", "unsafe-none" if in_popup else "same-origin"),
            ("Cross-Origin-Resource-Policy", "cross-origin" if is_framed else "same-origin"),
            *((("Content-Security-Policy", _USUAL.text()),) if is_page else ()),
            *for_tls,
            *(() if is_kept else _UNKEPT),
        )
        return headers, frozenset(name.lower() for name, _ in headers)

    def more(endpoint: str, policy: _Policy, given: Mapping[str, str]) -> Headers:
        is_page = given.get("content-type", "").startswith("text/html")
        in_popup = endpoint.rpartition(".")[0] in _IN_POPUPS
        # What is a file says so itself; the page that says there is none is nobody else's.
        is_kept = "cache-control" in given
        headers, names = always(policy.is_framed, in_popup, is_kept, is_page and policy is _USUAL)
        if is_page and policy is not _USUAL:
            headers = (*headers, ("Content-Security-Policy", policy.text()))
            names |= {"content-security-policy"}
        # What a view has said itself, it keeps.
        return headers if names.isdisjoint(given) else tuple(one for one in headers if one[0].lower() not in given)

    @app.after_request
    def _headers(response: Response) -> Response:
        response.more = partial(more, request.endpoint or "", g.get("policy", _USUAL))  # type: ignore[attr-defined]
        return response


def _policy() -> _Policy:
    if "policy" not in g:
        g.policy = _Policy()
    return cast(_Policy, g.policy)


def allow_form_target(uri: str) -> None:
    """The form on this page may lead to this URI by redirects, and on from there: its scheme is what can be said. Only
    ever called with a registered URI, and plain http is registered on loopback alone."""
    policy = _policy()
    policy.form_targets = tuple(dict.fromkeys((*policy.form_targets, "https:", f"{urlsplit(uri).scheme}:")))


def allow_frames(uris: list[str]) -> None:
    """This page may load these registered addresses in frames, and nothing else of anybody's."""
    _policy().frames = " ".join(sorted({origin_of(uri) for uri in uris}))


def allow_framing() -> None:
    """Any page may load this one in a frame: only for one that has nothing to see and nothing to press."""
    _policy().is_framed = True


def allow_image(uri: str) -> None:
    """This page may show images of this address's origin; of nobody's whose name could be read as more than one."""
    if origin := origin_of(uri):
        policy = _policy()
        policy.images = tuple(dict.fromkeys((*policy.images, origin)))


def see_other(uri: str) -> Response:
    """303, never 307: a form's content must not travel on (RFC 9700 section 4.12)."""
    shown = escape(uri)
    page = f'<!doctype html>\n<html lang="en">\n<title>303</title>\n<p><a href="{shown}">{shown}</a></p>\n'
    response = Answer(page, 303, content_type="text/html; charset=utf-8")
    response.headers.add("Location", uri)
    return response


def json_answer(body: dict[str, Any], status: int = 200, **headers: str) -> Response:
    """JSON; underscores in header names become dashes."""
    response = Answer(_JSON.encode(body) + "\n", status, content_type="application/json")
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response
