"""Consent: what a person has agreed that a third party's client may see, remembered until they take it back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Consent:
    """One person and one client. Times in ms."""

    user_id: str
    client_id: str
    scope: tuple[str, ...]
    claims: tuple[str, ...]
    """Names of single claims that were asked for beside the scopes."""
    granted_at: int
    last_used_at: int

    def covers(self, scope: tuple[str, ...], claims: tuple[str, ...]) -> bool:
        """Whether nothing is asked for that was not agreed to."""
        return set(scope) <= set(self.scope) and set(claims) <= set(self.claims)
