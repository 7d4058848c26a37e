"""The sealed request that a site's front hands to a page: who asks, and where to go on. A broken one counts as none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from sso_server.core.clients import Client
from sso_server.core.consents import Wish
from sso_server.core.errors import Unavailable
from sso_server.core.records import record
from sso_server.core.service_urls import is_prefix, matches, without_ticket
from sso_server.core.sessions import Session
from sso_server.fronts.portal.client_face import name_of
from sso_server.web.agreed import agreed, asked_of, back_to
from sso_server.web.responses import allow_form_target
from sso_server.web.services import services
from sso_server.web.typed import typed
from sso_server.web.warned import answered

#: The fronts' own addresses, fixed here: a seal says which one, and no seal can name another.
_CAS = "/cas/login/continue"
#: The page for devices asks as a front does when a device's client wants the password once more.
DEVICE = "/device/continue"
_FRONTS = ("/authorize/continue", _CAS, DEVICE)


@record
class Asking:
    """A sign-in request of a site. `sealed` is empty if nobody asks."""

    sealed: str = ""
    front: str = ""
    client: Client | None = None
    asked_at: int = 0
    login_hint: str = ""
    max_age_s: int | None = None
    """The site takes no password older than that; None: it doesn't mind."""
    not_now_at: str = "/sessions"
    """Where it leads to say no."""
    back_to: str = ""
    """Of whom consent is asked: where they go on to, as they may know it: the address's host, or its scheme."""
    payload: Mapping[str, Any] = field(default_factory=dict)
    """All that the seal says."""

    @property
    def by_cas(self) -> bool:
        """CAS 3.0.3 section 2.1.4: its sign-in page offers `warn`."""
        return self.front == _CAS

    @property
    def goes_on_at(self) -> str:
        """Where the asking front takes over after the sign-in."""
        return f"{self.front}?{urlencode({'request': self.sealed})}"

    @property
    def cancels_at(self) -> str:
        """Where the asking front tells the site that the person doesn't want to; empty: CAS has no word for that, and a
        device hears it from the page for devices."""
        # No token: whoever follows a stranger's link gives nothing away, and changes nothing.
        return "" if self.by_cas or self.front == DEVICE else f"{self.goes_on_at}&cancel=1"

    @property
    def name(self) -> str:
        """The site's, in the language of the page; empty if none asks."""
        return name_of(self.client) if self.client else ""

    def wish_for(self, session: Session) -> Wish | None:
        """What this session's person is asked to agree to, if it is them who were asked."""
        return asked_of(self.payload, session)


@record
class LeaveAsking:
    """A sign-out that a site asked for. `back` is the registered address to return to, with the site's state."""

    sealed: str = ""
    client: Client | None = None
    back: str = ""


def read_asking(sealed: str) -> Asking:
    """The sign-in request in a seal of any age: it grants nothing, the front checks everything again."""
    payload = services().seals.open("sign-in", sealed) if sealed else None
    if payload is None or payload.get("front") not in _FRONTS:
        return Asking()
    params = payload.get("params")
    params = params if isinstance(params, dict) else {}
    # CAS 3.0.3 section 2.1.1, `renew`, and OpenID Connect's prompt: no password that was typed before will do.
    anew = "renew" in params or not {"login", "select_account"}.isdisjoint(str(params.get("prompt", "")).split())
    age = "0" if anew else str(params.get("max_age", ""))
    client = _find_client(payload.get("client_id"))
    return Asking(
        sealed,
        payload["front"],
        client,
        int(payload.get("asked_at", 0)),
        login_hint=str(params.get("login_hint", ""))[:256],
        max_age_s=int(age) if age.isdecimal() else None,
        not_now_at=_service_without_ticket(client, params) or "/sessions",
        back_to=place_of(back_to(payload)),
        payload=payload,
    )


def allow_return(asking: Asking) -> None:
    """The form's redirects end at the site: its origin belongs into this page's policy."""
    for uri in (*asking.client.redirect_uris, *asking.client.cas_services) if asking.client else ():
        allow_form_target(uri)


def with_answer(asking: Asking, session: Session, now: int) -> Asking:
    """The same request, sealed with the answer of this session's person that they want to go on (`web/warned`)."""
    return replace(asking, sealed=services().seals.seal("sign-in", answered(asking.payload, session, now)))


def with_consent(asking: Asking, now: int) -> Asking:
    """The same request, sealed with the proof that whoever it asks (`wish_for`) has agreed (`web/agreed`)."""
    return replace(asking, sealed=services().seals.seal("sign-in", agreed(asking.payload, now)))


def with_password(asking: Asking, session: Session, now: int) -> Asking:
    """The same request, sealed with the proof that this session's person typed the password for it (`web/typed`)."""
    return replace(asking, sealed=services().seals.seal("sign-in", typed(asking.payload, session, now)))


def read_leave_asking(sealed: str) -> LeaveAsking:
    """The sign-out request in a seal. The address to return to counts only while it is registered."""
    payload = services().seals.open("sign-out", sealed) if sealed else None
    client = _find_client(payload.get("client_id")) if payload else None
    if payload is None or client is None:
        return LeaveAsking()
    back = str(payload.get("post_logout_redirect_uri") or "")
    # RP-Initiated Logout 1.0 section 3: compared as it is, and again now, because a page may be old.
    if back not in client.post_logout_redirect_uris and not any(matches(one, back) for one in client.cas_services):
        return LeaveAsking(sealed, client)
    state = str(payload.get("state") or "")
    return LeaveAsking(
        sealed, client, f"{back}{'&' if '?' in back else '?'}{urlencode({'state': state})}" if state else back
    )


def home_of(client: Client) -> str:
    """The site's own start page, as far as it is registered."""
    pages = (*client.post_logout_redirect_uris, *filter(is_prefix, client.cas_services))
    return client.base_url or next(iter(pages), "")


def _service_without_ticket(client: Client | None, params: dict[str, object]) -> str:
    """CAS 3.0.3 section 2.1.1, gateway: a site that only asked whether somebody is signed in keeps its visitor."""
    service = str(params.get("service", "")) if client and "gateway" in params and "renew" not in params else ""
    is_theirs = client is not None and any(matches(one, service) for one in client.cas_services)
    return without_ticket(service) if is_theirs else ""


def place_of(uri: str) -> str:
    """A registered address to return to, as people may know it: its host, or its scheme."""
    parts = urlsplit(uri)
    # An app on the person's own device is called by a scheme of its own (RFC 8252 section 7.1).
    return parts.hostname or (f"{parts.scheme}:" if parts.scheme else "")


def _find_client(client_id: object) -> Client | None:
    try:
        return services().clients.find(str(client_id))
    except Unavailable:
        # The name on the page isn't worth an error page.
        return None
