"""What a client shows of itself to people: its name in their language, its logo, its pages.

With dynamic registration all of it is a stranger's text: names lose what can't be seen, addresses that no browser
should be sent to are left out. Nothing is fetched here.
"""

from __future__ import annotations

from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest
from sso_server.core.records import record
from sso_server.core.uris import check_uri
from sso_server.web.language import select_locale
from sso_server.web.responses import allow_image

_MAX_NAME = 80
#: Our languages in the tags of BCP 47, the best first (OpenID Connect Dynamic Client Registration 1.0 section 2.1).
_TAGS = {"en": ("en", "en-us", "en-gb"), "zh_Hans_CN": ("zh-hans-cn", "zh-cn", "zh-hans", "zh")}


@record
class Face:
    """Plain text and safe addresses, for a template to escape. Empty: not said."""

    name: str
    logo: str
    home: str
    policy: str
    terms: str
    is_third_party: bool


def face_of(client: Client) -> Face:
    """In the language of this request's page."""
    metadata = client.metadata
    return Face(
        name_of(client),
        _address(_said(client, "logo_uri", metadata.logo_uri)),
        _address(_said(client, "client_uri", metadata.client_uri)),
        _address(_said(client, "policy_uri", metadata.policy_uri)),
        _address(_said(client, "tos_uri", metadata.tos_uri)),
        metadata.third_party,
    )


def show_face(client: Client) -> Face:
    """The same, on a page that shows the logo: the browser may load it, and nothing else from anywhere."""
    face = face_of(client)
    if face.logo:
        allow_image(face.logo)
    return face


def name_of(client: Client) -> str:
    """One line without what can't be seen: signs that turn the direction of text make another sentence of ours."""
    said = _said(client, "client_name", client.name)
    name = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    return (name[:_MAX_NAME] + ("…" if len(name) > _MAX_NAME else "")) or client.client_id


def _said(client: Client, member: str, otherwise: str) -> str:
    if not client.metadata.localized:
        return otherwise
    said = {name.lower(): text for name, text in client.metadata.localized if text}
    tags = _TAGS[select_locale()]
    exact = next((said[f"{member}#{tag}"] for tag in tags if f"{member}#{tag}" in said), "")
    # The same language as others write it is still better than another one.
    near = (text for name, text in said.items() if name.startswith(f"{member}#{tags[0][:2]}-"))
    return exact or next(near, otherwise)


def _address(uri: str) -> str:
    """The address if a link or an image may have it: https, or http on loopback. Never `javascript:` or `data:`."""
    plain, _, fragment = uri.partition("#")
    try:
        check_uri(plain, "address")
        check_uri(f"https://host/{fragment}", "fragment")
    except InvalidRequest:
        return ""
    return uri
