"""Each guarantee, broken on purpose by wiring a faulty part, makes its own row of the table fail, and no other."""

import pytest

from tests.faults import broken
from tests.faults.conductor import Scale, run
from tests.faults.reckoning import ROWS
from tests.faults.table import render

#: The fewest sites that show it.
SITES = {
    "row-left-behind": ("p-ok", "p-500"),
    "endless-lease": ("p-ok", "s-cut"),
}


@pytest.mark.slow
@pytest.mark.parametrize("part", sorted(broken.PARTS))
def test_a_faulty_part_fails_exactly_its_row(part: str) -> None:
    what, row = broken.PARTS[part]
    names = SITES.get(part, ("p-ok", "s-crash"))
    scale = Scale(
        # A lease takes its time to run out, and somebody must sign out while it does.
        sign_outs=40 if part == "endless-lease" else 14,
        names=names,
        part_one_s=20 if part == "endless-lease" else 4,
        rate=0,
        points=0,
        faults=part in SITES,
        settle_s=6,
    )
    outcome = run(scale, part=part)
    table = render("SQLite", scale, outcome)
    assert [name for name in ROWS if outcome.reckoning.faults[name]] == [row], f"{what}:\n{table}"
    assert not outcome.reckoning.holds
    assert "FAILED" in table
