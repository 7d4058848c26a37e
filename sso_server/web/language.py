"""Which language a page speaks: `ui_locales` -> the language somebody chose -> the browser's wishes -> English.

Wishes are strangers' text: few are looked at, and only their first subtag, as text.
"""

from __future__ import annotations

from flask import has_request_context, request

from sso_server.web.cookies import language_cookie

LANGUAGES = {"en": "English", "zh_Hans_CN": "简体中文"}
_BY_SUBTAG = {"en": "en", "zh": "zh_Hans_CN"}
_MOST_WISHES = 10
_FOUND = "lockstep.language"


def select_locale() -> str:
    """A key of LANGUAGES."""
    if not has_request_context():
        return "en"
    # Kept with the request: a page asks some ten times.
    found: str = request.environ.get(_FOUND) or _find()
    request.environ[_FOUND] = found
    return found


def _find() -> str:
    wishes = [*request.args.get("ui_locales", "")[:100].split(), language_cookie(request) or ""]
    # A header of 8 kB names a thousand languages; nobody reads more than a few.
    wishes += list(request.accept_languages.values())[:_MOST_WISHES]
    for wish in wishes:
        language = match_language(wish)
        if language is not None:
            return language
    return "en"


def match_language(wish: str) -> str | None:
    """The language that serves a tag such as `zh-CN`, `zh` or `en-GB`; None if none does."""
    # RFC 5646 section 2.1: the first subtag is the language, whatever follows.
    return _BY_SUBTAG.get(wish.replace("_", "-").partition("-")[0].lower())


def known_language(wishes: str) -> str:
    """The first of a site's `ui_locales` that is served, by our own name for it; empty if none is."""
    return next(filter(None, map(match_language, wishes[:100].split())), "")


def html_lang() -> str:
    """The value of `<html lang>`."""
    return {"zh_Hans_CN": "zh-Hans", "en": "en"}[select_locale()]
