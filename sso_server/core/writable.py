"""What arrives and may be kept: no store takes half of a surrogate pair, and PostgreSQL takes no NUL."""

from __future__ import annotations


def is_writable(value: object) -> bool:
    """False if a text, or parsed JSON, holds half of a surrogate pair (RFC 7493 section 2.1) or a NUL."""
    waiting = [value]  # no recursion: it may be nested as deep as the parser went
    while waiting:
        match waiting.pop():
            case str(text) if "\0" in text or (not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text)):
                return False
            case dict(members):
                waiting += [*members.keys(), *members.values()]
            case list(members):
                waiting += members
    return True
