"""Figures, goals and the page that is made of them: it says what was measured, and what was missed."""

import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import page, quick
from benchmarks.goals import GOALS, OIDC_PROVIDER, floor, ours, verdicts
from benchmarks.picture import picture
from benchmarks.results import SUMMARY, Figure, RawFile, Run, Summary, machine, read_raw
from benchmarks.servers import Case
from benchmarks.tried import TRIED
from tests.house.sources import ROOT

REDIS = ours("gunicorn", "redis")


def run_of(*figures: Figure) -> Run:
    run = Run(machine())
    for figure in figures:
        run.add(figure)
    return run


def costing(case: Case, workload: str, *values: float, name: str = "cpu_ms", at: str = "8") -> list[Figure]:
    return [Figure(case, workload, name, value, number, at) for number, value in enumerate(values)]


def verdict(summary: Summary, about: str, where: str) -> str:
    (line,) = [line for line in page.page(summary).splitlines() if line.startswith(f"| {about} | {where}")]
    return line.split(" | ", 2)[2]


def test_the_page_and_its_picture_are_made_of_the_committed_figures() -> None:
    summary = Summary.load()
    assert summary.runs
    assert page.page(summary) == page.PAGE.read_text(encoding="utf-8"), "python -m benchmarks.page"
    assert picture(summary) == page.PICTURE.read_text(encoding="utf-8"), "python -m benchmarks.page"


def test_committed_figures_name_no_host_and_no_path() -> None:
    for text in (SUMMARY.read_text(encoding="utf-8"), page.PAGE.read_text(encoding="utf-8")):
        assert not re.search(rf"{re.escape(socket.gethostname())}\b|(?<![\w.])/(?:home|root|tmp|work|var|usr)/", text)


def test_a_ratio_is_one_of_the_same_round_and_the_median_of_all() -> None:
    summary = Summary(
        {
            # Each is 1.2 times its floor, though the machine was three times slower in the second round.
            "own": run_of(*costing(REDIS, "R", 1.2, 3.6, 1.2), *costing(floor(REDIS), "R", 1.0, 3.0, 1.0)),
        }
    )
    assert verdict(summary, "R ES256, processor time against the floor", "gunicorn, redis") == (
        "at most 1.4x | 1.2x | met |"
    )


def test_a_goal_that_is_missed_says_by_how_much_and_one_without_figures_that_it_has_none() -> None:
    about = "R ES256, operations a second against oidc-provider"
    mine = costing(REDIS, "R", 450, name="per_second")
    theirs = costing(OIDC_PROVIDER, "R", 1000, name="per_second")
    summary = Summary({"peers": run_of(*mine, *theirs)})
    assert verdict(summary, about, "gunicorn, redis") == "at least 0.9x | 0.45x | **missed by 50%** |"
    assert verdict(summary, about, "the fastest configuration: gunicorn").endswith("**missed by 62%** |")
    assert verdict(summary, "cold start", "gunicorn, redis") == "at most 0.7 s | – | not measured |"


def test_the_fastest_configuration_is_the_one_that_answers_most() -> None:
    granian = replace(REDIS, web_server="granian")
    figures = [
        *costing(REDIS, "R", 450, name="per_second"),
        *costing(granian, "R", 1300, name="per_second"),
        *costing(OIDC_PROVIDER, "R", 1000, name="per_second"),
    ]
    line = verdict(Summary({"peers": run_of(*figures)}), "R ES256, operations a second against oidc-provider", "the f")
    assert line == "at least 1.2x | 1.3x | met |"


def test_what_the_hash_takes_is_taken_off_a_sign_in() -> None:
    figures = [
        *costing(REDIS, "W5", 28.0, at="4"),
        *costing(floor(REDIS), "W5", 25.5, at="4"),
        *costing(floor(REDIS), "W0", 0.5),
    ]
    line = verdict(Summary({"own": run_of(*figures)}), "W5, processor time over the hash", "gunicorn, redis")
    assert line == "at most 3 ms | 3 ms | met |"


def test_growth_is_of_the_step_that_grew_most() -> None:
    figures = [
        Figure(REDIS, f"growth of {what}", "cpu_ms", value, 0, f"{size} sessions")
        for what, values in {"W1": (1.0, 1.02), "expiry": (2.0, 2.3)}.items()
        for size, value in zip((1_000, 1_000_000), values, strict=True)
    ]
    found = [one for one in verdicts(Summary({"own": run_of(*figures)})) if one.goal.about.startswith("G, ")]
    redis = next(one for one in found if one.goal.where == "redis")
    assert redis.measured is not None
    assert (round(redis.measured.median, 3), redis.note, redis.is_met) == (1.15, "expiry at 1,000,000", False)


def test_every_goal_has_a_name_of_its_own_and_no_word_is_about_one_that_does_not_exist() -> None:
    names = [(goal.about, goal.where) for goal in GOALS]
    assert len(set(names)) == len(names)
    assert set(TRIED) <= {about for about, _ in names}


def test_nothing_that_was_promised_is_without_a_goal() -> None:
    beginnings = [goal.about for goal in GOALS]
    promised = [
        "R ES256, op",
        "R RS256, op",
        "R ES256, pr",
        "W2",
        "W3u",
        "W3i",
        "W4",
        "W5",
        "W6,",
        "W6h,",
        "CR,",
        "D,",
        "G,",
    ]
    promised += ["p99 of userinfo while", "memory of a worker before", "memory of a worker after", "cold start"]
    assert [one for one in promised if not any(about.startswith(one) for about in beginnings)] == []


def test_a_summary_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    run = run_of(*costing(REDIS, "R", 1.25, 7 / 3), Figure(REDIS, "memory", "worker_rss_mb", 61.5, 0, "fresh"))
    # A round that has no figure, as when a run was cut off.
    run.add(Figure(REDIS, "W4", "cpu_ms", 3.0, 2, "8"))
    Summary({"own": run}).save(tmp_path / "results.json")
    again = Summary.load(tmp_path / "results.json").runs["own"]
    # To the last digit: the page is written before it is read again.
    assert (again.figures, again.machine) == (run.figures, run.machine)
    with RawFile(tmp_path / "raw.jsonl") as raw:
        raw.write(figure := Figure(REDIS, "R", "cpu_ms", 1.25, 3, "8"))
    assert list(read_raw(tmp_path / "raw.jsonl")) == [figure]


def test_a_new_run_replaces_what_it_measured_and_nothing_else() -> None:
    run = run_of(*costing(REDIS, "R", 9, 9, 9), *costing(REDIS, "D", 500, name="per_second_and_core", at=""))
    run.replace(run_of(*costing(REDIS, "R", 1)))
    assert run.values(REDIS, "R", "cpu_ms", "8") == {0: 1}
    assert run.values(REDIS, "D", "per_second_and_core") == {0: 500}


@pytest.mark.parametrize(("now", "worse"), [(1.3, False), (1.55, True)])
def test_the_quick_run_fails_for_what_has_become_dearer(now: float, worse: bool) -> None:
    stated = run_of(*costing(REDIS, "R", 1.25), *costing(floor(REDIS), "R", 1.0))
    found = list(quick.compared(run_of(*costing(REDIS, "R", now), *costing(floor(REDIS), "R", 1.0)), stated))
    assert [(one.workload, one.is_worse) for one in found] == [("R", worse)]
    assert ("WORSE" in quick.shown(found)) == worse


def test_the_picture_shows_one_run_in_light_and_dark_and_says_it_in_words() -> None:
    own = run_of(*costing(REDIS, "R", 7.77))
    assert "7.77" in picture(Summary({"own": own}))
    both = picture(Summary({"own": own, "peers": run_of(*costing(REDIS, "R", 2.0), *costing(OIDC_PROVIDER, "R", 2.4))}))
    # Bars of two runs can't be compared.
    assert "7.77" not in both
    assert "Lockstep, gunicorn 2 ms, oidc-provider, Node 2.4 ms" in both
    assert "prefers-color-scheme: dark" in both


def test_the_commands_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (bench[a-z-]*)", page.page(Summary()), flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
