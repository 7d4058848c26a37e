"""The core's errors: a stable code, a description anybody may read, a detail that only logs see.

Fronts translate the code into their protocol's dialect; nothing else formats errors.
"""

from __future__ import annotations


class LockstepError(Exception):
    """Base of every error that the product raises on purpose; never raised itself."""

    code = "server_error"

    def __init__(self, description: str = "", *, detail: str = "", code: str | None = None) -> None:
        super().__init__(description or self.code)
        self.description = description
        self.detail = detail
        if code is not None:
            self.code = code


class InvalidRequest(LockstepError):
    """The request itself is malformed: a missing, repeated or impossible parameter."""

    code = "invalid_request"


class InvalidClient(LockstepError):
    """The client is unknown or could not prove who it is."""

    code = "invalid_client"


class UnauthorizedClient(LockstepError):
    """The client is known and may not do this."""

    code = "unauthorized_client"


class InvalidGrant(LockstepError):
    """A ticket or refresh token was refused; `description` is the reason code of `tickets.Refusal`."""

    code = "invalid_grant"


class InvalidToken(LockstepError):
    """An access token is unknown, expired, revoked, or its session has ended."""

    code = "invalid_token"


class InsufficientScope(LockstepError):
    """The access token is good and opens something else."""

    code = "insufficient_scope"


class TooManyGuesses(LockstepError):
    """Sign-in is slowed down. `retry_after_ms` says for how long."""

    code = "too_many_guesses"

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__("Too many attempts.")
        self.retry_after_ms = retry_after_ms


class TooManyTrials(LockstepError):
    """A site has itself called too often, or another one is being called. `retry_after_ms` says for how long."""

    code = "slow_down"

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__("Too many tests; wait for as long as Retry-After says.")
        self.retry_after_ms = retry_after_ms


class TooManyRequests(LockstepError):
    """One address asks for more than anybody needs. `retry_after_ms` says for how long to wait."""

    code = "slow_down"

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__("Too many requests; wait for as long as Retry-After says.")
        self.retry_after_ms = retry_after_ms


class WrongCredentials(LockstepError):
    """User name and password do not match; never says which of the two."""

    code = "wrong_credentials"


class Refused(LockstepError):
    """A command that is understood and not allowed in the present state (e.g. a name that is taken)."""

    code = "refused"


class Unavailable(LockstepError):
    """A store or the hasher cannot answer now; nothing was lost, try again after `retry_after_s`."""

    code = "temporarily_unavailable"

    def __init__(
        self, description: str = "", *, detail: str = "", retry_after_s: int = 2, code: str | None = None
    ) -> None:
        super().__init__(description or "The service cannot answer right now.", detail=detail, code=code)
        self.retry_after_s = retry_after_s
