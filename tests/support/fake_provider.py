"""The fake provider of `sso_client.testing` with what only the SDK's own tests need: odd secrets, a stranger's key."""

from dataclasses import dataclass, field
from typing import Any

from sso_client.testing.provider import EVENT, Provider, Ticket
from sso_client.testing.signing import new_ec_key

__all__ = ["EVENT", "FOREIGN_KEY", "FakeProvider", "Ticket"]

FOREIGN_KEY = new_ec_key()


@dataclass
class FakeProvider(Provider):
    """One centre with one client, whose secret has letters that must be encoded."""

    client_secret: str = "s3cret/+ä"
    profile: dict[str, Any] = field(default_factory=lambda: {"name": "Alice Example", "preferred_username": "alice"})

    @property
    def alg(self) -> str:
        return self.keys.alg

    @alg.setter
    def alg(self, alg: str) -> None:
        self.keys.alg = alg

    @property
    def kid(self) -> str:
        return self.keys.kid

    @kid.setter
    def kid(self, kid: str) -> None:
        self.keys.kid = kid

    @property
    def ec_key(self) -> Any:
        return self.keys.ec_key

    @ec_key.setter
    def ec_key(self, key: Any) -> None:
        self.keys.ec_key = key
