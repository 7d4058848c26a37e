"""The measurements of docs/benchmarks.md in small: they run, count right, and show nothing absurd."""

import pytest

from benchmarks import expiry, isolation, mass_end
from benchmarks.bed import percentile

ENGINES = ["sqlite", pytest.param("redis", marks=pytest.mark.redis)]
pytestmark = pytest.mark.slow


def test_good_sites_are_told_as_if_there_were_no_bad_ones() -> None:
    run = isolation.measure("sqlite", sites=10, bad=5, sign_outs=4, per_second=2)
    assert (len(run.all_good), len(run.some_bad)) == (20, 20)
    # Measured 0.1 s; one call of a site that hangs takes five.
    assert percentile(run.some_bad, 99) < 3000


@pytest.mark.parametrize("engine", ENGINES)
def test_a_deadline_reaches_the_sites_and_never_early(engine: str) -> None:
    run = expiry.measure(engine, live=50, per_second=5, seconds=2)
    assert (len(run.ended), len(run.acknowledged), run.calls) == (10, 50, 50)
    assert run.early == 0
    # Measured 1.1 s: a round of the sweeper.
    assert percentile(run.acknowledged, 99) < 8000


@pytest.mark.parametrize(
    ("engine", "way"), [("sqlite", "order"), pytest.param("redis", "deadline", marks=pytest.mark.redis)]
)
def test_a_person_signs_out_while_a_crowd_does(engine: str, way: str) -> None:
    run = mass_end.measure(engine, way, crowd=120, sites=2, people=4)
    assert run.meanwhile.answered
    assert len(run.meanwhile.answered) == len(run.meanwhile.acknowledged)
    # Measured 0.1 s.
    assert percentile(run.meanwhile.answered, 99) < 5000
    assert percentile(run.meanwhile.acknowledged, 99) < 5000


def test_percentiles_are_of_the_nearest_rank() -> None:
    values = [float(number) for number in range(1, 201)]
    assert [percentile(values, percent) for percent in (50, 99, 100)] == [100.0, 198.0, 200.0]
    assert percentile([7.0], 99) == 7.0
