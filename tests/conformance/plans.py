"""The plan Form Post is the plan Basic once more: a test of one is a test of both."""

from __future__ import annotations

import pytest

from tests.conformance.catalogue import in_a_form


def module(*ids: str, more: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """The test shows these modules, with the answer in the query and again with the answer in a form; `more`: what it
    shows besides, whatever the mode."""
    in_forms = [in_a_form(name) for name in ids]
    return pytest.mark.parametrize(
        "mode",
        [
            pytest.param("", id="query", marks=pytest.mark.covers(*ids, *more)),
            pytest.param("form_post", id="form_post", marks=pytest.mark.covers(*in_forms, *more)),
        ],
    )
