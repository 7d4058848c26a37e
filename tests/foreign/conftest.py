"""A real centre for other people's OpenID clients; each test registers one, and has a person of its own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sso_server.core.clients import Client
from tests.conformance.conftest import SECRET, a_client
from tests.conformance.relying_party import Person
from tests.foreign.driver import MODULES, new_enough_node
from tests.support.centre import Centre

Register = Callable[..., dict[str, Any]]
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def foreign_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """One for all tests of this folder."""
    directory: Path = tmp_path_factory.mktemp("foreign")
    centre = Centre(directory)
    centre.start()
    try:
        yield centre
    finally:
        centre.process.stop()


@pytest.fixture(scope="session")
def node_packages() -> None:
    """What scripts/foreign-packages installs, on a Node that runs it. Without it the test is skipped; in CI that is a
    failure (`node`)."""
    if new_enough_node() is None:
        pytest.skip("npm's openid-client and oidc-provider need Node 20.19 (scripts/foreign-packages installs one)")
    if not MODULES.is_dir():
        pytest.skip("npm's packages are not installed (scripts/foreign-packages installs them)")


@pytest.fixture
def person(foreign_centre: Centre) -> Person:
    """In a browser of her own, not signed in."""
    username = f"foreigner-{next(_numbers)}"
    foreign_centre.add_user(username)
    return Person(username)


@pytest.fixture
def register(foreign_centre: Centre) -> Register:
    """`register(public=True, id_token_alg="ES256")`: what a site knows of itself after its registration."""

    def make(**more: Any) -> dict[str, Any]:
        client: Client = replace(a_client(f"foreign-{next(_numbers)}"), **more)
        foreign_centre.add_client(client, SECRET if client.takes_secret else "")
        return {
            "issuer": foreign_centre.issuer,
            "client_id": client.client_id,
            "secret": SECRET,
            "redirect_uri": client.redirect_uris[0],
            "post_logout_redirect_uri": client.post_logout_redirect_uris[0],
            "alg": client.id_token_alg,
            "method": client.metadata.token_endpoint_auth_method
            or ("none" if client.public else "client_secret_basic"),
        }

    return make


def public_jwks(key: dict[str, str]) -> str:
    """As a client registers it."""
    return json.dumps({"keys": [{name: value for name, value in key.items() if name != "d"}]})
