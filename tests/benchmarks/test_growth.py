"""Growth in small: each hot step is asked at two sizes, the sessions are really there, and the answer is a ratio."""

import pytest

from benchmarks import growth
from benchmarks.given import Given

ENGINES = ["sqlite", pytest.param("redis", marks=pytest.mark.redis)]
pytestmark = [pytest.mark.slow, pytest.mark.engines]


@pytest.mark.parametrize("store", ENGINES)
def test_every_hot_step_has_a_figure_at_every_size(store: str) -> None:
    found = list(growth.figures(Given(rounds=1, seconds=0.3, stores=(store,)), sizes=(64, 500)))
    costs = {(one.what, one.at): one.value for one in found if one.name == "cpu_ms"}
    steps = {f"growth of {name}" for name in ("W1", "W2", "W3u", "W3i", "W6", "expiry")}
    assert set(costs) == {(step, at) for step in steps for at in ("64 sessions", "500 sessions")}
    assert all(value >= 0 for value in costs.values())
    assert costs["growth of W6", "64 sessions"] > 0
