"""The pytest plugin: `fake_sso` and `signed_in`. It imports nothing of the SDK before a test asks for one of them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from sso_client.testing.fake_sso import FakeSSO
    from sso_client.testing.listener import Listener
    from sso_client.testing.signing import KeyRing

_Client = TypeVar("_Client")


class SignedInClient(Protocol):
    """What the fixture `signed_in` is: signs a person in with a test client and hands the client back."""

    def __call__(
        self, client: _Client, sub: str = "alice", *, groups: Sequence[str] = (), page: str = "/", **claims: Any
    ) -> _Client: ...


@pytest.fixture(scope="session")
def fake_sso_listener() -> "Iterator[Listener]":
    """One address for the whole run: a site that is made once, when its module is imported, keeps its issuer."""
    from sso_client.testing.listener import Listener

    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture(scope="session")
def fake_sso_keys() -> "KeyRing":
    """One pair of keys for the whole run, for the same reason."""
    from sso_client.testing.signing import KeyRing

    return KeyRing()


@pytest.fixture
def fake_sso(
    fake_sso_listener: "Listener", fake_sso_keys: "KeyRing", tmp_path: "Path", monkeypatch: pytest.MonkeyPatch
) -> "Iterator[FakeSSO]":
    """A sign-in service of this test's own; the environment names it, so make the site after asking for it."""
    from dataclasses import fields

    from sso_client.settings import Settings
    from sso_client.testing.fake_sso import FakeSSO

    sso = FakeSSO(tmp_path / "sso.sqlite3", listener=fake_sso_listener, keys=fake_sso_keys)
    for setting in fields(Settings):  # what the developer's shell holds must not decide a test
        name = f"SSO_{setting.name.upper()}"
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    for name, value in sso.environ.items():
        monkeypatch.setenv(name, value)
    yield sso
    sso.close()


@pytest.fixture
def signed_in(fake_sso: "FakeSSO") -> SignedInClient:
    """`signed_in(client, sub="alice", groups=[...], **claims)`: the same client, with somebody signed in."""

    def sign_in(
        client: _Client, sub: str = "alice", *, groups: Sequence[str] = (), page: str = "/", **claims: Any
    ) -> _Client:
        fake_sso.sign_in(client, sub, groups=groups, page=page, **claims)
        return client

    return sign_in
