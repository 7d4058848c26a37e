"""Which looks are taken, and in which order: from the site's own desk outwards."""

from collections.abc import Iterator

from sso_client.clock import Clock
from sso_client.doctor.calls import Calls
from sso_client.doctor.cas import find_cas_server, of_protocol
from sso_client.doctor.centre import ask_registration, find_provider, of_redirect_uri
from sso_client.doctor.findings import Finding, ok, problem
from sso_client.doctor.logout import call_back, probe_stores
from sso_client.doctor.site import RunningSite, look_at_me, look_at_sign_in, skipped_site
from sso_client.doctor.store import look_at_store
from sso_client.errors import SettingsError
from sso_client.settings import Settings


def of_bad_settings(error: SettingsError) -> list[Finding]:
    """Each problem by itself."""
    return [problem("settings", error.code, "setting", said=said) for said in error.problems]


def examine(settings: Settings, site: RunningSite | None, clock: Clock) -> Iterator[Finding]:
    """Everything that can be looked at from here, one finding after the other. `site`: the running one, if any."""
    yield ok("settings", "settings", client_id=settings.client_id, issuer=settings.issuer)
    found, known_store = look_at_store(settings)
    yield from found
    calls = Calls(settings)
    registration = None
    planned = f"{settings.base_url or site.url}{site.prefix}/callback" if site is not None else None
    if settings.cas_url is not None:
        found, provider = find_cas_server(calls, settings, clock)
        yield from found
    else:
        found, provider = find_provider(calls, settings, clock)
        yield from found
        if provider is not None:
            yield from of_protocol(settings, provider)
            found, registration = ask_registration(calls, provider, clock, planned)
            yield from found
    if site is None:
        yield skipped_site()
        return
    found, sent = look_at_sign_in(calls, settings, provider, site)
    yield from found
    if provider is not None and planned is not None:
        if registration is not None and sent is not None and sent != planned:
            _, registration = ask_registration(calls, provider, clock, sent)
        yield of_redirect_uri(provider, registration, sent or planned)
    stores: set[str] = set()
    if found[0].code != "site_unreachable":
        yield look_at_me(calls, site)
        found, stores = probe_stores(calls, site, known_store)
        yield from found
    if provider is not None:
        yield from call_back(calls, provider, registration, stores)
