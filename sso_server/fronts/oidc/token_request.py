"""A request at the token endpoint, as every grant reads it: who asks, the form, the key that has proven itself."""

from __future__ import annotations

from sso_server.core.client_metadata import REFRESH_TOKEN
from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest, UnauthorizedClient
from sso_server.core.records import record
from sso_server.core.resources import audience_for, narrowed, read_resources
from sso_server.web.services import services

#: What may be sent more than once (RFC 8707 section 2, RFC 8693 section 2.1); read as one text parted by spaces.
REPEATABLE = ("resource", "audience")


@record
class Target:
    """Whom a token is for."""

    audience: tuple[str, ...] | None = None
    """Clients whose APIs it is for; None: all of its client's."""
    resources: tuple[str, ...] = ()
    """What its `aud` names instead of them; empty: these."""


@record
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

    @property
    def resources(self) -> tuple[str, ...]:
        """What the request wants the token to be for (RFC 8707 section 2.2)."""
        return read_resources(self.form.get("resource", ""))

    @property
    def may_narrow(self) -> bool:
        """Whether resources can make a difference to this client's tokens: if not, its grant needs no look before."""
        return bool(self.resources or self.client.audience or self.client.metadata.resources)

    def target(self, granted: tuple[str, ...] = ()) -> Target:
        """Whom the token is for; `granted`: the resources of its grant. Raises InvalidRequest (`invalid_target`)."""
        resources = narrowed(granted, self.resources)
        here = services()
        return Target(audience_for(self.client, resources, here.clients, here.policy.issuer), resources)


def check_registered(client: Client, grant_type: str) -> None:
    """RFC 6749 section 5.2 and RFC 7591 section 2: only what it is registered for. Raises UnauthorizedClient."""
    may = client.refresh_tokens if grant_type == REFRESH_TOKEN else grant_type in client.metadata.grant_types
    if not may:
        raise UnauthorizedClient("This client is not registered for this grant_type.", detail=grant_type)
