"""The centre's cookies: names, flags, and nothing else. `__Host-` and Secure on https; plain only on loopback."""

from __future__ import annotations

import hashlib

from flask import Request, Response

from sso_server.web.services import services

_SESSION = "lockstep_session"
_BROWSER = "lockstep_browser"
_KNOWN = "lockstep_known"
_LANGUAGE = "lockstep_language"
_WARN = "lockstep_warn"
_STATE = "lockstep_state"
_YEAR_S = 365 * 86_400


def _name(plain: str) -> str:
    return f"__Host-{plain}" if services().site.is_https else plain


def _set(response: Response, plain: str, value: str, max_age_s: int | None) -> None:
    # Lax, not Strict: the browser comes from a site by a top-level redirect and must bring its session along.
    response.set_cookie(
        _name(plain), value, max_age=max_age_s, path="/", secure=services().site.is_https, httponly=True, samesite="Lax"
    )


def _get(request: Request, plain: str) -> str | None:
    return request.cookies.get(_name(plain))


def session_cookie(request: Request) -> str | None:
    """The secret that the browser shows for its session."""
    return _get(request, _SESSION)


def set_session_cookie(response: Response, secret: str, *, remembered: bool) -> None:
    """A session cookie unless "keep me signed in" was ticked."""
    _set(response, _SESSION, secret, services().policy.remembered_ms // 1000 if remembered else None)
    set_state_cookie(response, secret, remembered=remembered)


def clear_session_cookie(response: Response) -> None:
    """Forget it, and what was chosen for the session."""
    _set(response, _SESSION, "", 0)
    set_state_cookie(response, "", remembered=False)
    clear_warn_cookie(response)


def browser_cookie(request: Request) -> str | None:
    """The browser's long-lived name (no credential: it opens nothing by itself)."""
    return _get(request, _BROWSER)


def set_browser_cookie(response: Response, browser_id: str) -> None:
    """Comes with the first sign-in page."""
    _set(response, _BROWSER, browser_id, _YEAR_S)


def known_cookie(request: Request) -> str | None:
    """Sealed list of accounts that signed in here before."""
    return _get(request, _KNOWN)


def set_known_cookie(response: Response, sealed: str) -> None:
    """See `core.guesses`."""
    _set(response, _KNOWN, sealed, _YEAR_S)


def language_cookie(request: Request) -> str | None:
    """The language somebody chose."""
    return _get(request, _LANGUAGE)


def set_language_cookie(response: Response, language: str) -> None:
    """Kept for a year."""
    _set(response, _LANGUAGE, language, _YEAR_S)


def warn_cookie(request: Request) -> str | None:
    """Whoever has it wants to be asked before a site signs them in (CAS 3.0.3 section 2.2.1)."""
    return _get(request, _WARN)


def set_warn_cookie(response: Response, *, remembered: bool) -> None:
    """Lives as long as the session's cookie."""
    _set(response, _WARN, "1", services().policy.remembered_ms // 1000 if remembered else None)


def clear_warn_cookie(response: Response) -> None:
    """Asked no more."""
    _set(response, _WARN, "", 0)


def state_name() -> str:
    """The cookie that our frame's script reads (OpenID Connect Session Management 1.0 section 4.1)."""
    return _name(_STATE)


def state_of(secret: str) -> str:
    """Its value while this is the session's cookie; empty: nobody is signed in. Nothing can be made of it but a
    comparison: the secret behind it has 160 random bits."""
    return hashlib.sha256(f"browser state {secret}".encode()).hexdigest() if secret else "nobody"


def state_cookie(request: Request) -> str | None:
    """The state that the browser holds."""
    return _get(request, _STATE)


def set_state_cookie(response: Response, secret: str, *, remembered: bool) -> None:
    """That of the session with this secret, for as long; where session management is switched on."""
    if services().site.session_management:
        max_age_s = services().policy.remembered_ms // 1000 if remembered else None
        # Readable by script and sent in frames, as its purpose is; browsers take SameSite=None with Secure only, and
        # Secure on loopback without TLS, too.
        response.set_cookie(
            state_name(), state_of(secret), max_age=max_age_s, path="/", secure=True, httponly=False, samesite="None"
        )
