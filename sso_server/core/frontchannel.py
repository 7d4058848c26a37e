"""OpenID Connect Front-Channel Logout 1.0: at which address a browser loads a site's page for it. Which one may be
registered is `metadata_rules`' to say, when frames are shown `web/frames`'.
"""

from __future__ import annotations

import re
from urllib.parse import urlencode, urlsplit

from sso_server.core.clients import Client

_PORTS = {"http": 80, "https": 443}
_PLAIN_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


def origin_of(uri: str) -> str:
    """`https://host` or `https://host:8443`, as browsers write it; empty: it has none, or none that is plain."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    # It may come to stand in a page's policy, where a semicolon would begin another rule.
    if parts.scheme not in _PORTS or not _PLAIN_HOST.fullmatch(host):
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port in (None, _PORTS[parts.scheme]) else f":{port}")


def frame_address(client: Client, issuer: str, sid: str) -> str:
    """What the frame loads (section 3): always with `iss` and `sid`, so that a site can tell this session from another
    one in the same browser. Empty: nothing is registered, or not any more at an origin of the client's."""
    uri = client.metadata.frontchannel_logout_uri
    origin = origin_of(uri)
    # Section 2: scheme, host and port of a redirect_uri, also after those were changed.
    if not origin or origin not in map(origin_of, client.redirect_uris):
        return ""
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode({'iss': issuer, 'sid': sid})}"
