"""The short form of `make faults`: the same run, smaller, on each engine."""

import pytest

from tests.faults.conductor import Scale, run
from tests.faults.table import render

SHORT = Scale(sign_outs=40, sites=13, part_one_s=14, rate=240, points=14, settle_s=30)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["SQLite", pytest.param("Redis", marks=pytest.mark.redis)])
def test_every_sign_out_is_accounted_for_whatever_dies_hangs_or_is_cut_off(engine: str) -> None:
    outcome = run(SHORT, redis=engine == "Redis")
    found = outcome.reckoning
    table = render(engine, SHORT, outcome)
    assert found.holds, table
    # That it was a run worth counting: everybody signed out, some of those who worked were killed, sites were watched.
    assert found.sign_outs == 42, table
    assert found.over_http == 2, table
    assert len(outcome.killed_at) >= 8, table
    assert found.states["acknowledged"] > 300, table
    assert found.states["refused"] + found.states["abandoned"] > 20, table
    # Each fault was there: 500, 400, 302, no answer in time, a closed port, a broken connection, another host's answer.
    assert {"ok", "http_500", "http_400", "http_302", "timeout", "connect", "reset", "other_store"} <= set(
        outcome.attempts
    ), table
    assert found.watched > 100, table
