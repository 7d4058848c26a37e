"""A CAS site with our SDK has a secret: it proves who it is, names its store and hears what the lease needs."""

import pytest
from flask import Flask

from tests.fronts.cas.validating import Service, add
from tests.support.builders import store_id
from tests.support.oidc_site import OidcSite, built_of

SECRET = "site-secret-" + "s" * 32


@pytest.fixture(scope="session")
def sdk(shared_app: Flask) -> Service:
    return add(
        shared_app,
        "sdk",
        "https://sdk.example.org/sso/",
        secret=SECRET,
        backchannel_logout_uri="https://sdk.example.org/sso/backchannel-logout",
    )


def basic(site: Service, client_id: str = "sdk", secret: str = SECRET) -> str:
    """The Authorization header."""
    return OidcSite(site.app, client_id, secret).basic["Authorization"]


def test_it_hears_what_the_lease_needs_and_is_a_participant_like_any_other_of_our_sdk(sdk: Service) -> None:
    session, store = sdk.session(), store_id()
    ticket = sdk.ticket(session)
    answer = sdk.validate(ticket, "/cas/p3/serviceValidate", authorization=basic(sdk), store_id=store)
    attributes = answer.attributes
    assert attributes is not None
    assert (attributes["sid"], attributes["sub"]) == ([session.sid], [session.user_id])
    assert attributes["auth_time_ms"] == [str(session.auth_time)]
    assert 86_300 < int(attributes["session_expires_in"][0]) <= 86_400
    (one,) = built_of(sdk.app).session_stores.lists.participants(session.sid)
    assert (one.kind, one.store_id, one.reports) == ("oidc", store, True)
    assert one.logout_uri == "https://sdk.example.org/sso/backchannel-logout"
    assert OidcSite(sdk.app, "sdk", SECRET).check_in(store, sids=[session.sid]).get_json()["ends"] == []


@pytest.mark.parametrize("path", ["/cas/p3/serviceValidate", "/cas/p3/proxyValidate", "/cas/serviceValidate"])
def test_who_does_not_prove_it_gets_nothing_and_the_ticket_is_spent(sdk: Service, path: str) -> None:
    for proof in ({}, {"authorization": basic(sdk, secret="wrong")}, {"authorization": "Bearer x"}):
        session = sdk.session()
        ticket = sdk.ticket(session)
        assert sdk.validate(ticket, path, store_id=store_id(), **proof).code == "INVALID_REQUEST"
        again = sdk.validate(ticket, path, authorization=basic(sdk), store_id=store_id())
        assert again.code == "INVALID_TICKET"
        assert built_of(sdk.app).session_stores.lists.participants(session.sid) == []


@pytest.mark.parametrize("path", ["/cas/p3/serviceValidate", "/cas/serviceValidate"])
def test_without_a_store_it_is_an_invalid_request_and_the_ticket_is_spent(sdk: Service, path: str) -> None:
    """By a logout request nobody would hear of the end: the SDK waits for a logout token."""
    session = sdk.session()
    ticket = sdk.ticket(session)
    answer = sdk.validate(ticket, path, authorization=basic(sdk))
    assert answer.code == "INVALID_REQUEST"
    assert "store_id" in answer.text
    assert sdk.validate(ticket, path, authorization=basic(sdk), store_id=store_id()).code == "INVALID_TICKET"
    assert built_of(sdk.app).session_stores.lists.participants(session.sid) == []


def test_another_client_s_secret_proves_nothing(sdk: Service, shared_app: Flask) -> None:
    add(shared_app, "sdk2", "https://sdk2.example.org/sso/", secret=SECRET)
    proof = basic(sdk, "sdk2")
    answer = sdk.validate(sdk.ticket(), "/cas/p3/serviceValidate", authorization=proof, store_id=store_id())
    assert (answer.code, answer.text) == ("INVALID_REQUEST", "The service belongs to another client.")


def test_a_store_without_a_proof_or_that_is_none_is_an_invalid_request(sdk: Service, site: Service) -> None:
    assert site.validate(site.ticket(), store_id=store_id()).code == "INVALID_REQUEST"
    proof = basic(sdk)
    assert sdk.validate(sdk.ticket(), authorization=proof, store_id="st-1").code == "INVALID_REQUEST"


@pytest.fixture(scope="session")
def site(shared_app: Flask) -> Service:
    return add(shared_app, "forum", "https://forum.example.org/")


def test_what_a_plain_service_sends_as_a_proof_is_passed_over(site: Service) -> None:
    assert site.validate(site.ticket(), authorization="Basic x").user == "alice"
