"""schemathesis reads the published description and asks everything in it, well-formed and not. It takes its time, so
that `make test` leaves it to `make test-engines`.
"""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from sso_server.fronts.oidc.openapi_operations import OPERATIONS
from tests.fuzz.world import REQUESTS, World

pytestmark = pytest.mark.engines
_SHARE = max(3, REQUESTS // 20 // len(OPERATIONS))


def _ask_all(world: World, mode: GenerationMode) -> set[str]:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", world.app)
    asked: set[str] = set()
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=_SHARE,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=REQUESTS < 10_000,
        )
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case):
            answer = case.call()
            world.statuses[answer.status_code] = world.statuses.get(answer.status_code, 0) + 1
            assert answer.status_code < 500, (case.method, case.path, answer.status_code, answer.content[:500])
            # What isn't described isn't answered.
            known = {str(code) for code in case.operation.definition.raw["responses"]}
            assert str(answer.status_code) in known, (case.method, case.path, answer.status_code, answer.content[:300])

        try:
            ask()
        except Unsatisfiable:
            # What takes nothing can't be asked wrongly.
            assert mode is GenerationMode.NEGATIVE
            continue
        asked.add(f"{operation.method.upper()} {operation.path}")
    return asked


def test_whatever_the_description_allows_is_answered_as_described(world):
    everything = {f"{operation.method.upper()} {operation.path}" for operation in OPERATIONS}
    assert _ask_all(world, GenerationMode.POSITIVE) == everything - {"GET /openapi.json"}


def test_whatever_it_does_not_allow_is_refused_without_harm(world):
    assert "POST /token" in _ask_all(world, GenerationMode.NEGATIVE)
