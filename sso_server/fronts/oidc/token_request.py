"""A request at the token endpoint, as every grant reads it: who asks, the form, the key that has proven itself."""

from __future__ import annotations

from dataclasses import dataclass

from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The client has been authenticated."""

    client: Client
    form: dict[str, str]
    jkt: str = ""
    """Thumbprint of the key of the request's DPoP proof (RFC 9449 section 5); empty: there was none."""

    def required(self, name: str) -> str:
        """The parameter. Raises InvalidRequest without it."""
        value = self.form.get(name)
        if value is None:
            raise InvalidRequest(f"{name} is missing.")
        return value
