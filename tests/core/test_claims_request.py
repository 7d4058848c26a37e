"""Reading the `claims` parameter: whatever comes, it is understood or refused."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sso_server.core.claims_request import ClaimsRequest, Wanted, parse
from sso_server.core.errors import InvalidRequest

ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
HOW = st.none() | st.fixed_dictionaries(
    {}, optional={"essential": ANYTHING, "value": ANYTHING, "values": ANYTHING, "else": ANYTHING}
)
PLACE = st.dictionaries(st.sampled_from(["sub", "name", "acr", "name#ja", ""]), HOW, max_size=4)


def test_nothing_is_asked_for_by_nothing() -> None:
    assert parse("") == parse("{}") == parse('{"userinfo": {}, "id_token": {}, "else": 1}') == ClaimsRequest()


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional={"userinfo": PLACE | ANYTHING, "id_token": PLACE | ANYTHING}) | ANYTHING)
def test_whatever_json_comes_is_read_or_refused(asked: Any) -> None:
    try:
        found = parse(json.dumps(asked))
    except InvalidRequest:
        return
    for place, name in ((found.userinfo, "userinfo"), (found.id_token, "id_token")):
        said = asked.get(name, {})
        assert set(place) == set(said)
        for claim, wanted in place.items():
            how = said[claim] or {}
            assert wanted.essential is how.get("essential", False)
            assert all(wanted.admits(value) for value in wanted.values)
            assert wanted.values == ((how["value"],) if "value" in how else tuple(how.get("values", ())))


@settings(deadline=None)
@given(st.text(max_size=60))
def test_whatever_text_comes_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        assert isinstance(parse(text), ClaimsRequest)


def test_a_number_is_not_a_truth() -> None:
    """To Python they are equal."""
    assert not Wanted(values=(1,)).admits(True)
    assert Wanted(values=(True, "x")).admits(True)


def test_a_request_is_bounded() -> None:
    for text in ('{"userinfo": {"a": {"value": "' + "a" * 8192 + '"}}}', '{"userinfo": ' * 2000):
        with pytest.raises(InvalidRequest):
            parse(text)
