"""What the map shows: each session, its sites, the address each is called at, and how the calls went. Pure reading."""

from __future__ import annotations

from sso_server.core.clients import Client
from sso_server.core.records import record
from sso_server.core.reports import SiteLine, one_for_each_site
from sso_server.core.sessions import Session, once_for_each_site
from sso_server.web.services import Services

_LIVE = 20
_ENDED = 6


@record
class SiteOnMap:
    """One registered site of a session. Times in ms; `state` is the ledger's, `registered` while the session lives."""

    client_id: str
    name: str
    protocol: str
    """By which people sign in there: a client's kind; empty if the client was removed."""
    base_url: str
    logout_uri: str
    state: str
    standing: str
    after_ms: int | None
    """From the end of the session to the site's answer."""
    attempt: int
    error: str
    safe_at: int | None


@record
class SessionOnMap:
    """One session and its sites. Times in ms."""

    sid: str
    name: str
    live: bool
    opened_at: int
    ended_at: int | None
    end_reason: str
    sites: tuple[SiteOnMap, ...]


def draw(services: Services) -> list[SessionOnMap]:
    """Live sessions, then those that ended last."""
    now = services.clock.now()
    live = [s for s in services.lists.list_live(now, _LIVE) if s.is_live(now)]
    live.sort(key=lambda session: -session.created_at)
    return [_session(services, session) for session in (*live, *services.ledger.list_ended(_ENDED))]


def _session(services: Services, session: Session) -> SessionOnMap:
    user = services.people.find(session.user_id)
    if session.ended_at is None:
        sites = tuple(
            SiteOnMap(
                client_id=participant.client_id,
                name=client.name if client else participant.client_id,
                protocol=client.kind if client else "",
                base_url=client.base_url if client else "",
                logout_uri=participant.logout_uri,
                state="registered",
                standing="registered",
                after_ms=None,
                attempt=0,
                error="",
                safe_at=None,
            )
            for participant in once_for_each_site(services.lists.participants(session.sid))
            for client in (services.clients.find(participant.client_id),)
        )
    else:
        sites = tuple(
            _told(line, services.clients.find(line.client_id))
            for line in one_for_each_site(services.reports.lines(session.sid))
        )
    return SessionOnMap(
        sid=session.sid,
        name=(user.name or user.username) if user else session.user_id,
        live=session.ended_at is None,
        opened_at=session.created_at,
        ended_at=session.ended_at,
        end_reason=session.end_reason or "",
        sites=sites,
    )


def _told(line: SiteLine, client: Client | None) -> SiteOnMap:
    row = line.notification
    return SiteOnMap(
        client_id=line.client_id,
        name=line.name,
        protocol=client.kind if client else "",
        base_url=line.base_url,
        logout_uri=row.logout_uri,
        state=row.state.value,
        standing=line.standing.value,
        after_ms=max(0, row.final_at - row.ended_at) if row.final_at is not None else None,
        attempt=row.sends,
        error=row.last_error,
        safe_at=line.safe_at,
    )
