"""Which account of a Django site a person gets: found, claimed if the site says so, made; groups; who is kept out."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sso_client.user import User as Person
from sso_client.user import user_from_claims
from tests.support.django_site import Browser, DjangoSites
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import new_sid

GROUPS = {"admins": ["is_staff", "is_superuser"], "editors": "is_staff", "shop": "Sellers"}


def accounts() -> Any:
    from django.contrib.auth.models import User

    return User.objects


def again(browser: Browser, sub: str = "usr-alice") -> Any:
    """Sign out here, and in again."""
    browser.http.cookies.clear()
    return browser.sign_in(sub=sub)


def test_an_account_is_made_and_kept_up_to_date_whatever_the_person_is_called(
    at_django: Browser, centre: FakeProvider
) -> None:
    centre.profile = {"preferred_username": "alice", "name": "Alice Example", "email": "alice@example.com"}
    at_django.sign_in()
    first = accounts().get()
    assert (first.username, first.first_name, first.email) == ("alice", "Alice Example", "alice@example.com")
    assert not first.has_usable_password()
    centre.profile = {"preferred_username": "alicia", "given_name": "Alicia", "family_name": "Smith", "name": "A"}
    again(at_django)
    now = accounts().get()
    assert (now.pk, now.username, now.first_name, now.last_name) == (first.pk, "alice", "Alicia", "Smith")
    assert now.email == "alice@example.com", "what the centre doesn't say stays"


def test_an_account_from_before_is_nobodys_by_its_name_alone(at_django: Browser, centre: FakeProvider) -> None:
    before = accounts().create_superuser("alice", "alice@example.com", "x")
    centre.profile |= {"email": "alice@example.com", "email_verified": True}
    at_django.sign_in()
    made = accounts().exclude(pk=before.pk).get()
    assert made.username.startswith("alice-")
    assert not made.is_staff
    again(at_django)
    assert accounts().count() == 2


@pytest.mark.parametrize(
    ("claim_by", "profile", "is_theirs"),
    [
        ("username", {"preferred_username": "alice"}, True),
        ("username", {"preferred_username": "Alice"}, False),
        ("username", {"preferred_username": "ａlice"}, False),
        ("verified_email", {"email": "Alice@Example.com", "email_verified": True}, True),
        ("verified_email", {"email": "alice@example.com", "email_verified": False}, False),
        ("verified_email", {"email": "alice@example.com", "email_verified": "true"}, False),
        ("verified_email", {"email": "alıce@example.com", "email_verified": True}, False),
        ("verified_email", {"preferred_username": "alice"}, False),
        (None, {"preferred_username": "alice", "email": "alice@example.com", "email_verified": True}, False),
    ],
)
def test_who_gets_an_account_from_before(
    claim_by: str | None,
    profile: dict[str, Any],
    is_theirs: bool,
    django_sites: DjangoSites,
    centre: FakeProvider,
) -> None:
    before = accounts().create_user("alice", "alice@example.com", "x")
    centre.profile = profile
    django_sites.browser(CLAIM_BY=claim_by).sign_in()
    assert (accounts().count() == 1) is is_theirs
    assert hasattr(accounts().get(pk=before.pk), "sso_identity") is is_theirs


@pytest.mark.parametrize(
    ("claim_by", "profile"),
    [
        ("username", {"preferred_username": "Alice"}),
        ("username", {"preferred_username": "ａlice"}),
        ("verified_email", {"email": "alıce@example.com", "email_verified": True}),
    ],
)
def test_a_database_that_takes_look_alikes_for_equal_gives_nobodys_account_away(
    claim_by: str,
    profile: dict[str, Any],
    django_sites: DjangoSites,
    centre: FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from django.db.models import QuerySet

    before = accounts().create_user("alice", "alice@example.com", "x")
    to_the_letter = QuerySet.filter

    def as_collations_do(rows: Any, *args: Any, **wanted: Any) -> Any:
        is_alike = {"username", "email__iexact"} & set(wanted)
        return rows.all() if is_alike and not args else to_the_letter(rows, *args, **wanted)

    monkeypatch.setattr(QuerySet, "filter", as_collations_do)
    centre.profile = profile
    django_sites.browser(CLAIM_BY=claim_by).sign_in()
    monkeypatch.undo()
    assert accounts().count() == 2
    assert not hasattr(accounts().get(pk=before.pk), "sso_identity")


def test_an_account_that_belongs_to_somebody_is_claimed_by_nobody(
    django_sites: DjangoSites, centre: FakeProvider
) -> None:
    centre.profile = {"preferred_username": "alice", "email": "alice@example.com", "email_verified": True}
    django_sites.browser().sign_in()
    for claim_by in ("username", "verified_email"):
        django_sites.browser(CLAIM_BY=claim_by).sign_in(sub=f"usr-mallory-{claim_by}")
    assert accounts().count() == 3


@pytest.mark.parametrize("says", [{"email_verified": False}, {"email_verified": "false"}, {}])
def test_an_address_that_nobody_has_verified_keeps_its_owner_from_nothing(
    says: dict[str, Any], django_sites: DjangoSites, centre: FakeProvider
) -> None:
    before = accounts().create_superuser("victim", "victim@example.com")
    mallory, victim = django_sites.browser(CLAIM_BY="verified_email"), django_sites.another()
    centre.profile = {"preferred_username": "mallory", "email": "victim@example.com"} | says
    mallory.sign_in(sub="usr-mallory")
    assert accounts().get(username="mallory").email == ("" if says else "victim@example.com")
    centre.profile = {"preferred_username": "victim", "email": "victim@example.com", "email_verified": True}
    victim.sign_in(sub="usr-victim")
    assert accounts().get(sso_identity__sub="usr-victim") == before


def test_an_address_that_two_accounts_have_is_claimed_by_nobody(
    django_sites: DjangoSites, centre: FakeProvider
) -> None:
    for name in ("one", "two"):
        accounts().create_user(name, "alice@example.com")
    centre.profile |= {"email": "alice@example.com", "email_verified": True}
    django_sites.browser(CLAIM_BY="verified_email").sign_in()
    assert accounts().count() == 3


def test_groups_are_given_and_taken_away_and_the_sites_own_are_left_alone(
    django_sites: DjangoSites, centre: FakeProvider
) -> None:
    from django.contrib.auth.models import Group

    alice = django_sites.browser(GROUP_MAP=GROUPS)

    def after(*groups: str) -> tuple[bool, bool, set[str]]:
        centre.profile["groups"] = list(groups)
        again(alice)
        account = accounts().get()
        return account.is_staff, account.is_superuser, set(account.groups.values_list("name", flat=True))

    assert after("admins", "shop") == (True, True, {"Sellers"})
    accounts().get().groups.add(Group.objects.create(name="Walkers"))
    assert after("editors", "Walkers") == (True, False, {"Walkers"})
    assert after("shop") == (False, False, {"Sellers", "Walkers"})
    del centre.profile["groups"]
    again(alice)
    assert set(accounts().get().groups.values_list("name", flat=True)) == {"Walkers"}


def test_rights_that_the_map_does_not_name_stay(django_sites: DjangoSites, centre: FakeProvider) -> None:
    alice = django_sites.browser(GROUP_MAP={"shop": "Sellers"})
    alice.sign_in()
    accounts().update(is_superuser=True)
    again(alice)
    assert accounts().get().is_superuser


def test_what_a_mapping_gave_goes_with_the_mapping(django_sites: DjangoSites, centre: FakeProvider) -> None:
    centre.profile["groups"] = ["admins", "shop"]

    def after(**group_map: Any) -> tuple[bool, bool, set[str]]:
        again(django_sites.browser(GROUP_MAP=group_map))
        account = accounts().get()
        return account.is_staff, account.is_superuser, set(account.groups.values_list("name", flat=True))

    assert after(admins=["is_staff", "is_superuser"], shop="Sellers") == (True, True, {"Sellers"})
    assert after(admins="is_staff", shop="Walkers") == (True, False, {"Walkers"})
    accounts().update(is_superuser=True)
    assert after() == (False, True, set()), "what the site itself gave stays"


def test_what_a_mapping_gave_goes_from_an_account_that_the_site_chose_as_well(
    django_sites: DjangoSites, centre: FakeProvider
) -> None:
    chosen = accounts().create_user("staff-007")
    centre.profile["groups"] = ["admins"]
    django_sites.browser(GROUP_MAP={"admins": "is_superuser"}, ON_LOGIN=lambda _: chosen).sign_in()
    assert accounts().get().is_superuser
    django_sites.browser(ON_LOGIN=lambda _: accounts().get()).sign_in()
    assert not accounts().get().is_superuser


def test_an_account_that_is_not_active_is_kept_out(at_django: Browser) -> None:
    at_django.sign_in()
    accounts().update(is_active=False)
    page = at_django.get("/account")
    assert page.status_code == 403, "at once, and without a loop"
    assert "account_refused" in page.content.decode()
    assert at_django.text("/open") == "False True Alice Example"
    back = again(at_django)
    assert back.status_code == 403
    assert "account_refused" in back.content.decode()
    assert "sso-shop" not in back.cookies


def test_the_site_may_choose_the_account_itself(django_sites: DjangoSites, centre: FakeProvider) -> None:
    chosen = accounts().create_user("staff-007")

    def choose(user: Person) -> Any:
        return {"usr-alice": chosen, "usr-bob": None}.get(user.sub, False)

    alice, bob, mallory = django_sites.browser(ON_LOGIN=choose), django_sites.another(), django_sites.another()
    alice.sign_in()
    assert alice.text("/account") == "staff-007 Alice Example"
    centre.profile = {"preferred_username": "bob"}
    bob.sign_in(sub="usr-bob")
    assert bob.text("/account") == "bob bob"
    refused = mallory.sign_in(sub="usr-mallory")
    assert refused.status_code == 403
    assert "account_refused" in refused.content.decode()
    assert accounts().count() == 2


def test_two_tabs_at_once_make_one_account(at_django: Browser) -> None:
    from django.db import connections

    from sso_client.django import SSOBackend

    person = user_from_claims({"sub": "usr-alice", "preferred_username": "alice"})
    both = threading.Barrier(2, timeout=30)

    class Meeting(SSOBackend):
        def find_account(self, sso_user: Person) -> Any:
            found = super().find_account(sso_user)
            if threading.current_thread() not in met:
                met.append(threading.current_thread())
                both.wait()  # neither has found an account
            return found

        def create_account(self, sso_user: Person) -> Any:
            account = super().create_account(sso_user)
            time.sleep(0.1)  # a slow one: the other tab comes while this one's transaction is open
            return account

    met: list[threading.Thread] = []

    def tab(_: int) -> int:
        try:
            return int(Meeting().authenticate(None, sso_user=person).pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as tabs:
        found = set(tabs.map(tab, range(2)))
    assert {account.pk for account in accounts().all()} == found
    assert len(found) == 1


def test_where_the_address_is_the_name_it_must_be_there_free_and_not_denied(
    at_django: Browser, centre: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.auth.models import User

    monkeypatch.setattr(User, "USERNAME_FIELD", "email")
    for profile in ({}, {"email": "alice@example.com", "email_verified": False}):
        centre.profile = profile
        assert again(at_django).status_code == 403
    centre.profile = {"email": "alice@example.com"}
    assert again(at_django).status_code == 302
    assert again(at_django, sub="usr-mallory").status_code == 403
    assert accounts().get().email == "alice@example.com"


@pytest.mark.parametrize("says", [{}, {"email_verified": "true"}, {"email_verified": True}])
def test_where_the_address_is_the_name_a_foreign_provider_must_say_that_it_is_verified(
    says: dict[str, Any], at_django: Browser, centre: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.auth.models import User

    monkeypatch.setattr(User, "USERNAME_FIELD", "email")
    centre.leases = False
    centre.profile = {"email": "boss@example.com"} | says
    assert at_django.sign_in().status_code == (302 if says.get("email_verified") is True else 403)


def test_a_person_is_told_apart_by_sub_to_the_letter(at_django: Browser) -> None:
    at_django.sign_in(sub="usr-a", sid=new_sid())
    again(at_django, sub="usr-A")
    assert accounts().count() == 2


def test_a_backend_of_the_sites_own_is_asked(django_sites: DjangoSites) -> None:
    alice = django_sites.browser(
        django={"AUTHENTICATION_BACKENDS": ["tests.sso_client.test_django_accounts.PrefixedBackend"]}
    )
    alice.sign_in()
    assert accounts().get().username == "sso-alice"
    assert alice.text("/account") == "sso-alice Alice Example"


def __getattr__(name: str) -> Any:
    if name != "PrefixedBackend":
        raise AttributeError(name)
    from sso_client.django import SSOBackend

    class PrefixedBackend(SSOBackend):
        def create_account(self, sso_user: Person) -> Any:
            account = super().create_account(sso_user)
            account.username = f"sso-{account.username}"
            account.save()
            return account

    return PrefixedBackend
