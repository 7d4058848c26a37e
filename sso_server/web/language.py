"""Which language a page speaks: `ui_locales` -> the language somebody chose -> the browser's wishes -> English."""

from __future__ import annotations

from babel import Locale, UnknownLocaleError
from flask import has_request_context, request

from sso_server.web.cookies import language_cookie

LANGUAGES = {"en": "English", "zh_Hans_CN": "简体中文"}


def select_locale() -> str:
    """A key of LANGUAGES."""
    if not has_request_context():
        return "en"
    wishes = [*request.args.get("ui_locales", "")[:100].split(), language_cookie(request) or ""]
    wishes += [value for value, _ in request.accept_languages]
    for wish in wishes:
        language = match_language(wish)
        if language is not None:
            return language
    return "en"


def match_language(wish: str) -> str | None:
    """The language that serves a tag such as `zh-CN`, `zh` or `en-GB`; None if none does."""
    try:
        locale = Locale.parse(wish.replace("-", "_"))
    except (ValueError, UnknownLocaleError, TypeError):
        return None
    return {"zh": "zh_Hans_CN", "en": "en"}.get(locale.language)


def html_lang() -> str:
    """The value of `<html lang>`."""
    return {"zh_Hans_CN": "zh-Hans", "en": "en"}[select_locale()]
