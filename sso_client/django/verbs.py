"""What a view can ask and do. All of it may wait for store or centre: async views call it by `sync_to_async`."""

from typing import Any

from sso_client.django.connection import get_client
from sso_client.django.visit import visit_of
from sso_client.driving import drive
from sso_client.records import Event, Scope


def access_token(request: Any, *, min_life_s: float = 30) -> str:
    """A valid access token of the signed-in person, for calls to APIs; renewed when it is due, by one worker.

    Raises SSOError `login_required`, `session_ended`, `tokens_missing` and others; unhandled they become pages.
    """
    visit = visit_of(request)
    return drive(visit.connection.site.access_token(visit.web, min_life_s))


def still_signed_in(request: Any) -> bool:
    """For streams: whether this person may still be served. Asking is no activity."""
    visit = visit_of(request)
    return visit.connection.client.still_signed_in(visit.connection.site.cookie(visit.web))


def login_url(request: Any, next_page: str | None = None) -> str:
    """Where a link "sign in" leads; back to `next_page`, by default to the current page."""
    visit = visit_of(request)
    return visit.connection.site.login_url(visit.web, next_page)


def logout_url(request: Any) -> str:
    """Where a form "sign out" posts to. Put `logout_fields(request)` in the form."""
    visit = visit_of(request)
    return visit.connection.site.route_url(visit.web, "logout")


def logout_fields(request: Any, scope: Scope = "browser") -> dict[str, str]:
    """The hidden fields of that form: the proof that this site made it, and what it ends. No CSRF token is needed."""
    visit = visit_of(request)
    return visit.connection.site.logout_fields(visit.web, scope)


def tab_script(request: Any) -> str:
    """A script tag, HTML, for pages that shall notice when their person is signed out. Raises LeaseExpired."""
    visit = visit_of(request)
    return visit.connection.site.tab_script(visit.web, visit.session)


def recent_events(limit: int = 50) -> list[Event]:
    """What happened last at this site, newest first."""
    return get_client().recent_events(limit)
