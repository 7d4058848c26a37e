"""What can go wrong, each with a stable code; `error_texts` holds the cause and the fix in words.

`detail` is for the log only: no page and no answer ever shows it.
"""

from collections.abc import Sequence

from sso_client.error_text import ErrorText
from sso_client.error_texts import TEXTS

# Codes that mean "the centre did not answer as itself": grace and a later try may help. All others need a person.
_TRANSIENT = frozenset({"discovery_unreachable", "provider_unreachable", "provider_unavailable", "cas_unreachable"})


class SSOError(Exception):
    """Any failure of the SDK. `code` is stable; `cause` and `fix` are one English line each."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code = code
        self.detail = detail
        # Without an end of its own the detail would read on into the fix.
        end = " " if not detail or detail.endswith(".") else "" if detail.endswith("\n") else ". "
        super().__init__(f"{code}: {self.text.cause} {detail}".rstrip(" ") + f"{end}Fix: {self.text.fix}")

    @property
    def text(self) -> ErrorText:
        return TEXTS[self.code]

    @property
    def cause(self) -> str:
        return self.text.cause

    @property
    def fix(self) -> str:
        return self.text.fix

    @property
    def status(self) -> int:
        """The HTTP status that a page about this error is sent with."""
        return self.text.status

    @property
    def transient(self) -> bool:
        """True if the centre could not be reached or answered 5xx: asking again later may do."""
        return self.code in _TRANSIENT


class LeaseExpired(SSOError):
    """The centre has not confirmed this store's sessions for too long. They are kept, not ended."""

    def __init__(self, detail: str = "", retry_after_s: int = 5) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("lease_expired", detail)


class ScopeMissing(SSOError):
    """An access token is good but doesn't allow this. `scope` is what the address asks for."""

    def __init__(self, scope: Sequence[str], detail: str = "") -> None:
        self.scope = tuple(scope)
        super().__init__("bearer_scope", detail)


class SettingsError(SSOError):
    """The settings can't work. `problems` names every one of them, each with its fix."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("settings_invalid", "".join(f"\n  - {problem}" for problem in self.problems) + "\n")
