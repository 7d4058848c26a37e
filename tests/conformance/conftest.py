"""A real centre (`sso serve`, two workers) with the clients that the suite has, and people with an account each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sso_server.core.client_metadata import ClientMetadata
from sso_server.core.clients import Client
from tests.conformance.relying_party import Person, RelyingParty
from tests.support.centre import Centre

SECRET = "secret-of-a-site-0123456789abcdef0123456789abcdef"
#: As a client is that registers itself: confidential, and nothing says that it knows PKCE.
ONE, TWO = "suite-one", "suite-two"
PUBLIC = "suite-public"
_numbers = itertools.count(1)


def a_client(client_id: str, **more: object) -> Client:
    """At https://CLIENT_ID.example.com, where nobody listens: the browser of the tests knows that by itself."""
    origin = f"https://{client_id}.example.com"
    client = Client(
        client_id=client_id,
        name=client_id.title(),
        created_at=1,
        redirect_uris=(f"{origin}/cb",),
        post_logout_redirect_uris=(f"{origin}/bye",),
        metadata=ClientMetadata(require_pkce=False),
    )
    return replace(client, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def suite_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """One for all tests of this folder; each has a person of its own."""
    directory: Path = tmp_path_factory.mktemp("suite")
    centre = Centre(directory)
    centre.start()
    try:
        for client_id in (ONE, TWO):
            centre.add_client(a_client(client_id), SECRET)
        centre.add_client(a_client(PUBLIC, public=True, metadata=ClientMetadata()))
        yield centre
    finally:
        centre.process.stop()


@pytest.fixture
def person(suite_centre: Centre) -> Person:
    """In a browser of her own, not signed in."""
    username = f"person-{next(_numbers)}"
    suite_centre.add_user(username)
    return Person(username)


@pytest.fixture
def new_person(suite_centre: Centre) -> Callable[[], Person]:
    """Another one each time."""

    def make() -> Person:
        username = f"another-{next(_numbers)}"
        suite_centre.add_user(username)
        return Person(username)

    return make


@pytest.fixture
def mode() -> str:
    """The response mode; a test of both plans is parametrized with it (`plans.module`)."""
    return ""


@pytest.fixture
def party(suite_centre: Centre, mode: str) -> RelyingParty:
    """The suite's first client: confidential, its secret in the header, without PKCE."""
    return RelyingParty(suite_centre.issuer, ONE, SECRET, mode=mode)


@pytest.fixture
def other(suite_centre: Centre, mode: str) -> RelyingParty:
    """The second one."""
    return RelyingParty(suite_centre.issuer, TWO, SECRET, mode=mode)


@pytest.fixture
def public(suite_centre: Centre, mode: str) -> RelyingParty:
    """Without a secret, with PKCE."""
    return RelyingParty(suite_centre.issuer, PUBLIC, uses_pkce=True, mode=mode)


@pytest.fixture
def described(suite_centre: Centre, person: Person) -> Person:
    """The person of `person`, of whom everything is known."""
    claims = [
        "given_name=Alice", "family_name=Liddell", "middle_name=Pleasance", "nickname=Al",
        "profile=https://people.example.com/alice", "picture=https://people.example.com/alice.png",
        "website=https://alice.example.com", "gender=female", "birthdate=1852-05-04", "zoneinfo=Europe/London",
        "phone_number=+44 1865 000000", "phone_number_verified=true", "address.locality=Oxford", "address.country=UK",
    ]  # fmt: skip
    options = [part for claim in claims for part in ("--claim", claim)]
    suite_centre.cli("user", "update", person.username, "--locale", "en", "--email-verified", *options)
    return person
