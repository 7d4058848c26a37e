"""The short form of `make faults`: the same run, smaller, on each engine."""

import pytest

from tests.faults import engines
from tests.faults.conductor import Scale, run
from tests.faults.table import render
from tests.support.engines import USUAL

SHORT = Scale(sign_outs=40, sites=13, part_one_s=18, rate=240, points=10, settle_s=30)


def _on(engine: str):
    marks = [getattr(pytest.mark, name) for name in engines.ENGINES[engine][1]]
    return pytest.param(engine, marks=[*marks, *([pytest.mark.engines] if engine not in USUAL else [])])


@pytest.mark.slow
@pytest.mark.parametrize("engine", [_on(name) for name in engines.ENGINES])
def test_every_sign_out_is_accounted_for_whatever_dies_hangs_or_is_cut_off(engine: str) -> None:
    outcome = run(SHORT, engine=engine)
    found = outcome.reckoning
    table = render(engines.title(engine), SHORT, outcome)
    assert found.holds, table
    # That it was a run worth counting: everybody signed out, some of those who worked were killed, sites were watched.
    assert found.sign_outs == 42, table
    assert found.over_http == 2, table
    assert len(outcome.killed_at) == 10, table
    assert found.states["acknowledged"] > 300, table
    assert found.states["refused"] + found.states["abandoned"] > 20, table
    # That each fault was met is a row of the table; on a slow machine it lasts until it was.
    assert {"ok", "http_400", "http_302", "http_500", "timeout", "connect"} <= set(outcome.attempts), table
    assert found.watched > 30, table
