"""What a CAS service hears of a person."""

from dataclasses import replace

import pytest

from sso_server.core.claims import CLAIMS, SCOPES, attributes_for, check_attributes, claims_for
from sso_server.core.clients import CAS, Client
from sso_server.core.errors import InvalidRequest
from sso_server.core.profiles import change_profile
from sso_server.core.users import User

ALICE = User("u-1", "alice", "", 1, "Alice & <Co>", "alice@example.org", True, ("staff", "ops"), locale="zh")
WIKI = Client("wiki", "Wiki", 1, kind=CAS, cas_services=("https://wiki.example.org/",))
FULL = replace(
    ALICE,
    profile=change_profile(
        "{}",
        {
            "given_name": "Alice", "family_name": "Co", "middle_name": "B.", "nickname": "Al", "gender": "female",
            "profile": "https://example.org/a", "picture": "https://example.org/a.png", "birthdate": "0000-02-29",
            "website": "https://a.example.org/", "zoneinfo": "Europe/Paris", "phone_number": "+1 425 555 1212",
            "phone_number_verified": "true", "address.locality": "Paris", "address.country": "France",
        },
    ),
)  # fmt: skip


def heard(user: User, client: Client) -> dict[str, list[str]]:
    return attributes_for(user, client, user.user_id)


def test_without_a_list_it_hears_what_its_scopes_open_and_never_the_subject():
    assert heard(ALICE, WIKI) == {
        "preferred_username": ["alice"],
        "name": ["Alice & <Co>"],
        "locale": ["zh"],
        "email": ["alice@example.org"],
        "email_verified": ["true"],
        "groups": ["staff", "ops"],
    }
    assert list(heard(ALICE, replace(WIKI, scopes=("openid", "groups")))) == ["groups"]
    assert heard(ALICE, replace(WIKI, scopes=("openid",))) == {}


def test_with_a_list_it_hears_exactly_that_under_the_names_that_it_wants():
    wiki = replace(
        WIKI, scopes=("openid",), cas_attributes=("mail=email", "groups", "uid=sub", "login=preferred_username")
    )
    told = {"mail": ["alice@example.org"], "groups": ["staff", "ops"], "uid": ["u-1"], "login": ["alice"]}
    assert heard(ALICE, wiki) == told


def test_what_is_not_known_of_a_person_is_not_said():
    bob = User("u-2", "bob", "", 1)
    assert heard(bob, WIKI) == {"preferred_username": ["bob"], "name": ["bob"]}
    assert heard(bob, replace(WIKI, cas_attributes=("mail=email", "groups"))) == {}
    assert heard(replace(bob, email="b@example.org"), WIKI)["email_verified"] == ["false"]


def test_the_claims_that_may_be_named_are_all_that_there_are():
    assert set(CLAIMS) == set(claims_for(FULL, SCOPES)) | {"sub"}


def test_where_people_live_is_said_only_to_a_service_that_an_operator_named_it_for():
    assert {"given_name", "birthdate"} <= set(heard(FULL, WIKI))
    assert not {"address", "phone_number", "updated_at"} & set(heard(FULL, WIKI))
    wiki = replace(WIKI, cas_attributes=("address", "tel=phone_number", "checked=phone_number_verified"))
    assert heard(FULL, wiki) == {"address": ["Paris\nFrance"], "tel": ["+1 425 555 1212"], "checked": ["true"]}
    whole = replace(FULL, profile=change_profile(FULL.profile, {"address": "1 Rue A\nParis"}))
    assert heard(whole, wiki)["address"] == ["1 Rue A\nParis"]


@pytest.mark.parametrize(
    "spec", ["", "=email", "a b=email", "<a>=email", "1a=email", "a:b=email", "XmlA=email", "é=email"]
)
def test_a_name_that_no_element_can_have_is_refused(spec):
    with pytest.raises(InvalidRequest, match="can't be called"):
        check_attributes((spec,))


@pytest.mark.parametrize(
    "name", ["authenticationDate", "longTermAuthenticationRequestTokenUsed", "isFromNewLogin", "sid"]
)
def test_nothing_about_a_person_takes_the_place_of_what_is_said_of_the_session(name):
    with pytest.raises(InvalidRequest, match="can't be called"):
        check_attributes((f"{name}=email",))
