"""Random names and how they are kept: the SDK's only source of randomness."""

import base64
import hashlib
import secrets


def new_store_id() -> str:
    """`st-` and 160 random bits in lower-case base32: the name of one local store, from its creation on."""
    return "st-" + base64.b32encode(secrets.token_bytes(20)).decode().lower()


def shown_store(store_id: str) -> str:
    """What may be shown of a store's name where the name itself is a secret: enough to tell two stores apart."""
    return f"st-{hashed(store_id)[:16]}"


def new_secret() -> str:
    """256 random bits, URL-safe: a session cookie, a state, a nonce, a PKCE verifier (43 characters, RFC 7636 4.1)."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """How a secret is kept at rest: hex SHA-256. Plain is enough, the value is random and long."""
    return hashlib.sha256(secret.encode()).hexdigest()


def pkce_challenge(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
