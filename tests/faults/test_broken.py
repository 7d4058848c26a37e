"""Each guarantee, broken on purpose by wiring a faulty part, makes its own row of the table fail, and no other. Parts
that have nothing to do with each other share a run.
"""

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


RUNS = (
    ("acts-twice", "eager-sweeper"),
    ("comes-back-at-site", "told-without-telling"),
    ("comes-back-at-centre", "site-forgotten"),
    ("row-left-behind",),
    ("endless-lease",),
)


#: What a part may bring with it: who came back is ended once more, if the site hears of the end again in time.
MAY_FOLLOW = {"comes-back-at-site": {"acted on twice"}}


def test_every_part_has_its_turn() -> None:
    assert sorted(part for parts in RUNS for part in parts) == sorted(broken.PARTS)


@pytest.mark.slow
@pytest.mark.parametrize("parts", RUNS, ids=broken.AND.join)
def test_a_faulty_part_fails_exactly_its_row(parts: tuple[str, ...]) -> None:
    part = parts[0]
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
    outcome = run(scale, part=broken.AND.join(parts))
    table = render("SQLite", scale, outcome)
    rows = {broken.PARTS[part][1] for part in parts}
    found = {name for name in ROWS if outcome.reckoning.faults[name]}
    assert found - MAY_FOLLOW.get(part, set()) == rows, table
    assert not outcome.reckoning.holds
    assert table.count("FAILED") == len(found)
    assert len(rows) == len(parts)
