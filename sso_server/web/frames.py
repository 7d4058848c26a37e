"""The way past the page with frames (Front-Channel Logout 1.0 section 3), for every front that signs a browser out."""

from __future__ import annotations

from urllib.parse import urlencode

from sso_server.core.clients import Client
from sso_server.core.errors import Unavailable
from sso_server.core.frontchannel import frame_address
from sso_server.core.records import record
from sso_server.web.services import services

PAGE = "/signed-out/sites"
#: So many sites at most: each stands in the page's policy, and proxies take headers of a few kilobytes.
MAX_FRAMES = 20
_MAX_AGE_S = 300


@record
class Frame:
    """One site's page to be loaded."""

    client: Client
    address: str


def past_frames(sid: str, goes_on_at: str) -> str:
    """Where the browser goes whose session has just ended: over the page with frames if a site of this session
    registered one, and from there, or else at once, to this address (ours, or a registered one)."""
    if not frames_of(sid):
        return goes_on_at
    return f"{PAGE}?{urlencode({'of': services().seals.seal('frames', {'sid': sid, 'next': goes_on_at})})}"


def read_frames(sealed: str) -> tuple[list[Frame], str]:
    """What `past_frames` sealed within the last minutes: the frames, and where to go on; else none, and nowhere."""
    payload = services().seals.open("frames", sealed, max_age_s=_MAX_AGE_S) if sealed else None
    if payload is None:
        return [], ""
    return frames_of(str(payload["sid"])), str(payload["next"])


def frames_of(sid: str) -> list[Frame]:
    """One for each site of the ended session that registered a page for this. None while that is switched off."""
    if not sid or not services().site.frontchannel_logout:
        return []
    try:
        clients = [services().clients.find(row.client_id) for row in services().ledger.of_session(sid)]
    except Unavailable:
        # The session is over, and its sites are told in other ways: nobody waits for this one.
        return []
    once = {client.client_id: client for client in clients if client is not None}
    issuer = services().policy.issuer
    frames = [Frame(client, frame_address(client, issuer, sid)) for client in once.values()]
    return [frame for frame in frames if frame.address][:MAX_FRAMES]
