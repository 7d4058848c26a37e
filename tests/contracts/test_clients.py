from dataclasses import fields, replace

import pytest

from sso_server.core.client_metadata import ClientMetadata
from sso_server.core.clients import Client, ClientSecret, site_client
from sso_server.core.users import EndOrder
from tests.support.builders import NOW

SHOP = Client("shop", "Shop", NOW, redirect_uris=("https://shop.example/cb",))


def test_a_client_is_kept_as_it_was_added(sql_stores):
    plain = site_client("wiki", "", "https://wiki.example", NOW)
    odd = Client(
        "odd",
        "商店",
        NOW,
        kind="cas",
        secrets=(ClientSecret("ab", NOW + 5), ClientSecret("cd")),
        public=True,
        base_url="https://odd.example/",
        redirect_uris=("https://odd.example/a", "https://odd.example/b"),
        post_logout_redirect_uris=("https://odd.example/",),
        backchannel_logout_uri="http://10.0.0.7/out",
        id_token_alg="ES256",
        scopes=("openid",),
        refresh_tokens=False,
        lease_s=30,
        grace_s=7,
        local_session_max_s=3600,
        allow_private=True,
        delivery="poll",
        access_token="jwt",
        audience=("odd",),
        cas_services=("https://odd.example/app/", "https://odd.example/in?x=1"),
        cas_proxy_callbacks=("https://odd.example/pgt",),
        cas_attributes=("mail=email", "groups"),
        metadata=ClientMetadata(
            third_party=True,
            grant_types=("authorization_code", "client_credentials"),
            jwks='{"keys": []}',
            default_max_age=0,
            localized=(("client_name#zh-CN", "商店"), ("tos_uri#de", "https://odd.example/agb")),
            allowed_scopes=("openid",),
        ),
    )
    values = [getattr(odd, field.name) for field in fields(odd)]
    plain_values = [getattr(Client("odd", "", 0), field.name) for field in fields(odd)]
    assert [f.name for f, v, p in zip(fields(odd), values, plain_values, strict=True) if v == p] == ["client_id"]
    assert sql_stores.clients.add(plain)
    assert sql_stores.clients.add(odd)
    assert sql_stores.clients.list_clients() == [odd, plain]


def test_an_id_is_taken_once(sql_stores):
    assert sql_stores.clients.list_clients() == []
    assert sql_stores.clients.add(SHOP)
    assert not sql_stores.clients.add(replace(SHOP, name="Other"))
    assert sql_stores.clients.list_clients() == [SHOP]


def test_an_update_writes_the_whole_row(sql_stores):
    sql_stores.clients.add(SHOP)
    changed = replace(SHOP, name="New", secrets=(ClientSecret("ef", None),), redirect_uris=(), lease_s=10)
    assert sql_stores.clients.update(changed, SHOP)
    assert sql_stores.clients.list_clients() == [changed]
    nobody = replace(SHOP, client_id="nobody")
    assert not sql_stores.clients.update(nobody, nobody)


@pytest.mark.parametrize(
    "faster",
    [
        {"secrets": (ClientSecret("new"),)},
        {"secrets": (ClientSecret("old", NOW + 5),)},
        {"name": "Other"},
        {"local_session_max_s": 600},
        {"public": True},
        {"redirect_uris": ("https://shop.example/cb", "https://shop.example/2")},
        {"kind": "cas"},
        {"scopes": ("openid",)},
        {"cas_services": ("https://shop.example/app/",)},
        {"cas_proxy_callbacks": ("https://shop.example/pgt",)},
        {"cas_attributes": ("mail=email",)},
    ],
)
def test_an_update_never_takes_back_what_somebody_else_has_changed_since(sql_stores, faster):
    read = replace(SHOP, secrets=(ClientSecret("old"),))
    sql_stores.clients.add(read)
    theirs = replace(read, **faster)
    assert sql_stores.clients.update(theirs, read)
    assert not sql_stores.clients.update(replace(read, lease_s=10), read)
    assert sql_stores.clients.list_clients() == [theirs]
    assert sql_stores.clients.update(replace(theirs, lease_s=10), theirs)


def test_a_removed_client_is_gone(sql_stores):
    sql_stores.clients.add(SHOP)
    assert sql_stores.clients.remove("shop")
    assert not sql_stores.clients.remove("shop")
    assert sql_stores.clients.list_clients() == []
    assert sql_stores.clients.add(SHOP)


def test_a_removed_client_is_in_nobodys_audience(sql_stores):
    names = {"shop": ("stock", "wiki"), "wiki": ("stock",), "stock": ("stock",), "till": ("wiki",), "spa": ()}
    for client_id, audience in names.items():
        sql_stores.clients.add(replace(SHOP, client_id=client_id, audience=audience))
    assert sql_stores.clients.remove("stock")
    left = {client.client_id: client.audience for client in sql_stores.clients.list_clients()}
    assert left == {"shop": ("wiki",), "wiki": (), "till": ("wiki",), "spa": ()}


def test_the_generation_grows_with_every_change_and_with_nothing_else(sql_stores):
    steps = [
        (lambda: sql_stores.clients.add(SHOP), True),
        (lambda: sql_stores.clients.add(SHOP), False),
        (lambda: sql_stores.clients.update(SHOP, SHOP), True),
        (lambda: sql_stores.clients.update(SHOP, replace(SHOP, name="Other")), False),
        (sql_stores.clients.list_clients, False),
        (sql_stores.health.store_time, False),
        (lambda: sql_stores.clients.remove("shop"), True),
        (lambda: sql_stores.clients.remove("shop"), False),
    ]
    seen = sql_stores.clients.generation()
    for step, changes in steps:
        step()
        now = sql_stores.clients.generation()
        assert (now > seen) == changes
        seen = now


WIKI = Client("wiki", "Wiki", NOW, redirect_uris=("https://wiki.example/cb",), audience=("shop",))
NEWS = Client("news", "News", NOW, redirect_uris=("https://news.example/cb",))


def test_many_changes_are_made_in_one_step(sql_stores):
    sql_stores.clients.add(SHOP)
    sql_stores.clients.add(WIKI)
    changed = replace(WIKI, name="The wiki", audience=())
    before = sql_stores.clients.generation()
    assert sql_stores.clients.change_all([NEWS], [(changed, WIKI)], [SHOP])
    assert sql_stores.clients.list_clients() == [NEWS, changed]
    assert sql_stores.clients.generation() > before


@pytest.mark.parametrize(
    ("added", "changed", "removed"),
    [
        ([NEWS, SHOP], [], []),
        ([NEWS], [(replace(WIKI, lease_s=5), replace(WIKI, name="read before somebody else wrote"))], []),
        ([NEWS], [(replace(WIKI, lease_s=5), WIKI)], [replace(SHOP, client_id="nobody")]),
        ([], [(replace(WIKI, lease_s=5), WIKI), (replace(NEWS, lease_s=5), NEWS)], [SHOP]),
    ],
)
def test_if_one_of_many_can_not_be_made_none_is(sql_stores, added, changed, removed):
    sql_stores.clients.add(SHOP)
    sql_stores.clients.add(WIKI)
    before = sql_stores.clients.generation()
    order = EndOrder("ord-1", "client_removed", NOW, client_id="shop")
    assert not sql_stores.clients.change_all(added, changed, removed, [order])
    assert not sql_stores.clients.remove("nobody", order)
    assert sql_stores.clients.list_clients() == [SHOP, WIKI]
    assert sql_stores.end_orders.list_unfinished() == []
    assert sql_stores.clients.generation() == before
