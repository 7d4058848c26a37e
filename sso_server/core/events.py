"""What the audit remembers: one frozen record, and the names of its kinds."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from sso_server.core.records import record


class EventKind(StrEnum):
    """Names are stable: operators build alarms on them."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SESSION_ENDED = "session_ended"
    NOTIFICATION_FINAL = "notification_final"
    NOTIFICATION_RETRIED = "notification_retried"
    NOTIFICATION_ABANDONED = "notification_abandoned"
    TICKET_REFUSED = "ticket_refused"
    TOKEN_REUSED = "token_reused"
    TOKEN_REVOKED = "token_revoked"
    PASSWORD_CHANGED = "password_changed"
    USER_ADDED = "user_added"
    USER_CHANGED = "user_changed"
    CONSENT_GIVEN = "consent_given"
    CONSENT_REMOVED = "consent_removed"
    CLIENT_CHANGED = "client_changed"
    CLIENT_TESTED = "client_tested"
    REGISTRATION_TOKEN = "registration_token"
    KEY_ROTATED = "key_rotated"
    SETUP_LINK = "setup_link"
    STORE_RESTORED = "store_restored"


@record
class Event:
    """One line of the audit. `at` in ms; `data` holds JSON values only and never a secret."""

    at: int
    kind: EventKind
    user_id: str = ""
    sid: str = ""
    client_id: str = ""
    actor: str = ""
    data: dict[str, str | int | None] = field(default_factory=dict)
