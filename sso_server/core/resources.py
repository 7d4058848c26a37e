"""Resource indicators (RFC 8707): which APIs a token is for, by URIs that are registered for their clients.

A `resource` that may be repeated is kept as its values parted by spaces: no URI has any.
"""

from __future__ import annotations

from sso_server.core.clients import Client, ClientDirectory
from sso_server.core.errors import InvalidRequest


def read_resources(text: str) -> tuple[str, ...]:
    """The values of the parameter, each once, in the order in which they were sent."""
    return tuple(dict.fromkeys(text.split()))


def audience_for(
    client: Client, resources: tuple[str, ...], directory: ClientDirectory, issuer: str
) -> tuple[str, ...]:
    """Ids of the clients whose APIs these resources are; no resource: all of the client's audience. Raises
    InvalidRequest with the code `invalid_target` for one that this client's tokens are not for.

    Section 2: compared as text. `issuer` stands for our own userinfo, which is nobody's API.
    """
    if not resources:
        return client.audience
    owners = [client, *(found for name in client.audience if (found := directory.find(name)) is not None)]
    ids: dict[str, None] = {}
    for resource in resources:
        named = [owner.client_id for owner in owners if resource in owner.metadata.resources]
        if not named and resource != issuer:
            raise refused_target(resource)
        ids |= dict.fromkeys(named)
    return tuple(ids)


def narrowed(granted: tuple[str, ...], asked: tuple[str, ...]) -> tuple[str, ...]:
    """The resources of one token: those asked for at the token endpoint, else all that were granted (section 2.2).
    Raises InvalidRequest with the code `invalid_target` for one beyond the grant."""
    for resource in asked:
        if granted and resource not in granted:
            raise refused_target(resource)
    return asked or granted


def exchange_audience(
    client: Client, audience: tuple[str, ...], resources: tuple[str, ...], directory: ClientDirectory
) -> tuple[str, ...]:
    """Ids of the clients for whose APIs `client` gets a token in exchange (RFC 8693 section 2.1): those that `audience`
    and `resources` name, all within its registration; neither: all of that. Raises InvalidRequest (`invalid_target`).
    """
    known = [found for name in client.metadata.exchange_audience if (found := directory.find(name)) is not None]
    ids: dict[str, None] = {}
    for name in audience:
        if name not in {owner.client_id for owner in known}:
            raise refused_target(name)
        ids[name] = None
    for resource in resources:
        named = [owner.client_id for owner in known if resource in owner.metadata.resources]
        if not named:
            raise refused_target(resource)
        ids |= dict.fromkeys(named)
    if not ids and not known:
        raise refused_target("")
    return tuple(ids) or tuple(owner.client_id for owner in known)


def refused_target(target: str) -> InvalidRequest:
    """What whoever asks for it is told: the same for one that nobody has as for one that is not for this client."""
    told = "A token for this resource or audience is not for this client."
    return InvalidRequest(told, detail=f"{target!r:.200}", code="invalid_target")


def audience_names(
    issuer: str, clients: tuple[str, ...], resources: tuple[str, ...], scope: tuple[str, ...]
) -> list[str]:
    """What `aud` of an access token says (RFC 9068 section 3): its resources if it was asked for by them (RFC 8707
    section 2), else the clients; and us, as long as `openid` opens userinfo, or if there is nobody else."""
    names = resources or clients
    ours = [issuer] if issuer not in names and ("openid" in scope or not names) else []
    return [*ours, *names]
