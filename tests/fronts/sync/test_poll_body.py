"""The strict reading of a poll's JSON (RFC 8936 section 2.2), without a server."""

import json

import pytest

from sso_server.core.errors import InvalidRequest
from sso_server.fronts.sync.poll import parse


def body(**members: object) -> bytes:
    return json.dumps(members).encode()


def test_an_empty_object_asks_for_the_usual_number_and_waits() -> None:
    call = parse(b"{}")
    assert (call.acks, call.refusals, call.max_events, call.return_immediately) == ((), {}, 100, False)


def test_every_member_is_read() -> None:
    error = {"err": "invalid_key", "description": "no such kid", "more": 1}
    call = parse(body(maxEvents=7, returnImmediately=True, ack=["a", "b", "a"], setErrs={"c": error, "d": {"err": ""}}))
    assert (call.acks, call.max_events, call.return_immediately) == (("a", "b"), 7, True)
    assert call.refusals == {"c": ("invalid_key", "no such kid"), "d": ("", "")}


@pytest.mark.parametrize(("asked", "given"), [(0, 0), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)])
def test_never_more_than_a_thousand_events(asked: int, given: int) -> None:
    assert parse(body(maxEvents=asked)).max_events == given


def test_unknown_members_are_ignored() -> None:
    assert parse(body(subject="x", version=[{}])).max_events == 100


@pytest.mark.parametrize(
    "members",
    [
        {"maxEvents": -1}, {"maxEvents": 10**12}, {"maxEvents": 2**31}, {"maxEvents": "10"}, {"maxEvents": True},
        {"maxEvents": 1.0}, {"maxEvents": 1.5}, {"maxEvents": None}, {"maxEvents": [1]}, {"maxEvents": {}},
        {"returnImmediately": "true"}, {"returnImmediately": 1}, {"returnImmediately": None},
        {"ack": "jti"}, {"ack": {"jti": True}}, {"ack": [1]}, {"ack": [["jti"]]}, {"ack": None}, {"ack": [None]},
        {"ack": [str(n) for n in range(5001)]},
        {"setErrs": []}, {"setErrs": "jti"}, {"setErrs": None}, {"setErrs": {"jti": "invalid_key"}},
        {"setErrs": {"jti": None}}, {"setErrs": {"jti": {}}}, {"setErrs": {"jti": {"err": 7}}},
        {"setErrs": {str(n): {"err": "x"} for n in range(5001)}},
    ],
)  # fmt: skip
def test_a_member_of_another_type_or_size_is_refused(members: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        parse(body(**members))


@pytest.mark.parametrize(
    "raw",
    [b"", b"null", b"[]", b'"ack"', b"{", b"\xff\xfe{}", b"[" * 100_000, b'{"ack": [], "ack": []}',
     b'{"maxEvents": ' + b"9" * 10_000 + b"}", b'{"maxEvents": NaN}', b'{"maxEvents": Infinity}'],
)  # fmt: skip
def test_what_is_no_plain_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse(raw)
