"""The strict reading of a check-in's JSON, without a server."""

import json

import pytest

from sso_server.core.errors import InvalidRequest
from sso_server.fronts.sync.check_in import parse

STORE = "st-" + "a" * 32


def body(**members: object) -> bytes:
    return json.dumps({"store": STORE} | members).encode()


def test_only_the_store_is_required() -> None:
    call = parse(body())
    assert (call.store_id, call.mark, call.acks, call.ended, call.active, call.live) == (STORE, None, (), (), (), None)


def test_every_member_reaches_the_core_once() -> None:
    call = parse(body(mark="m", acks=["a", "a"], ended=["b"], active=["c"], sids=["d"]))
    assert (call.mark, call.acks, call.ended, call.active, call.live) == ("m", ("a",), ("b",), ("c",), ("d",))


def test_an_empty_list_of_live_sessions_is_not_the_same_as_none() -> None:
    assert parse(body(sids=[])).live == ()
    assert parse(body(sids=None)).live is None


def test_unknown_members_are_ignored() -> None:
    assert parse(body(hostname="web-1", version=[{}])).store_id == STORE


@pytest.mark.parametrize(
    "members",
    [
        {"store": 7}, {"store": None}, {"store": ["x"]},
        {"mark": 7}, {"mark": ["m"]}, {"mark": "m" * 5000},
        {"acks": "sid"}, {"acks": {"0": "sid"}}, {"acks": [7]}, {"acks": None},
        {"ended": [["sid"]]}, {"active": [None]}, {"active": True}, {"sids": "sid"}, {"sids": [{}]},
    ],
)  # fmt: skip
def test_a_member_of_another_type_is_refused(members: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        parse(body(**members))


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"null", b"[]", b'"st"', b"{", b"\xff\xfe{}", b"{}", b"[" * 100_000,
        b'{"store": "a", "store": "b"}', b'{"store": ' + b"9" * 10_000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_plain_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse(raw)
