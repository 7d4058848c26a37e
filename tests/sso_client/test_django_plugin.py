"""A Django site's own tests: the pytest plugin signs people in and out there, under settings from the environment."""

from collections.abc import Iterator

import pytest
from django.test import Client

from sso_client.testing.fake_sso import FakeSSO


@pytest.fixture
def http(fake_sso: FakeSSO, django_ready: None) -> Iterator[Client]:
    from django.contrib.auth.models import User
    from django.db import connections

    from tests.support.django_site import drop_connection

    yield Client()
    drop_connection()
    User.objects.all().delete()
    connections.close_all()


@pytest.mark.parametrize("sub", ["alice", "bob"])
def test_single_sign_out_at_a_site_that_was_set_up_before_the_test(sub: str, http: Client, fake_sso, signed_in) -> None:
    signed_in(http, sub=sub, groups=["staff"], page="/account")
    assert http.get("/account").content.decode().startswith(sub)
    assert http.get("/staff").content.decode() == f"staff: {sub}"
    fake_sso.sign_out(sub)
    assert http.get("/account").status_code == 302
