"""The record of a signing key as stores keep it. Making, sealing and rotating keys is `crypto`'s business."""

from __future__ import annotations

from sso_server.core.records import record


@record
class StoredKey:
    """A signing key at rest. Times in ms."""

    kid: str
    alg: str
    private_sealed: str
    """Encrypted under `SSO_SECRET_KEY`: against a leaked database or backup, not against the host."""
    public_jwk: dict[str, str]
    created_at: int
    active_from: int
    """Published from `created_at` on, signs from here on, so that every site's cached JWKS knows it by then."""
    retired_at: int | None
    """Signs no more from here on, is still published."""
    expires_at: int | None
    """Published no more from here on: nothing it signed is valid any longer."""
