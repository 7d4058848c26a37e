"""Where a test's local store lives, so that another process opens the same one; and a clock of a host of its own."""

from dataclasses import dataclass, field
from pathlib import Path

from sso_client import LocalStore, Settings
from sso_client.clock import Clock
from sso_client.stores.opening import open_store
from tests.support.sdk import MovedClock

ISSUER = "https://sso.example.com"


@dataclass(frozen=True)
class LocalPlace:
    """`engine` is sqlite or redis; a client id of its own keeps a test apart on a shared redis-server."""

    engine: str
    url: str = field(repr=False)
    client_id: str

    def open(self, clock: Clock | None = None, client_id: str | None = None) -> LocalStore:
        """As a site does that has this `SSO_STORE`."""
        settings = Settings(ISSUER, client_id or self.client_id, "secret", store=self.url)
        return open_store(settings, Path(), clock or MovedClock())
