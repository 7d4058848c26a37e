"""One error code in words. The words themselves are in `error_texts` and `site_error_texts`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorText:
    """One code in words. `fix` is for whoever runs the site; pages show it on loopback or in debug only."""

    status: int
    cause: str
    cause_zh: str
    fix: str
    fix_zh: str
