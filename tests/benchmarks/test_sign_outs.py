"""Sign-outs, deliveries and check-ins in small: each has its figures, and who isn't told or answered shows."""

import dataclasses
from pathlib import Path

import pytest

from benchmarks import check_in, deliveries, sign_out
from benchmarks.given import Given
from benchmarks.listeners import Heard, Listeners, listening
from benchmarks.load import WrongAnswer, once
from benchmarks.lockstep_server import LockstepServer
from benchmarks.servers import started
from benchmarks.traffic import SITES
from benchmarks.workloads import Stage

GIVEN = Given(rounds=1, seconds=0.1, web_servers=("gunicorn",), stores=("sqlite",))
pytestmark = [pytest.mark.slow, pytest.mark.engines]


def test_the_person_waits_for_nobody_and_every_site_that_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_out, "PER_ROUND", {"W6": 1, "W6h": 1})
    figures = list(sign_out.figures(GIVEN))
    found = {(one.what, one.case.algorithm, one.name): one.value for one in figures if one.case.product == "lockstep"}
    (told,) = [one.value for one in figures if one.case.product == "floor" and one.name == "told"]
    assert told == SITES
    assert found["W6", "ES256", "told"] == SITES
    assert found["W6h", "ES256", "told"] >= SITES - len(sign_out.HANGING)
    # Measured 30 ms; a call of a site that hangs takes five seconds.
    assert found["W6h", "ES256", "waits_ms"] < 3000
    assert found["W6h", "ES256", "last_told_ms"] < 3000


def test_only_what_is_new_is_read_of_the_notes(tmp_path: Path) -> None:
    (tmp_path / "heard.txt").write_text("1.5 3 sid-1\n")
    sites = Listeners((), tmp_path / "heard.txt", None)  # type: ignore[arg-type]
    before = sites.so_far
    with sites.notes.open("a") as notes:
        notes.write("2.5 4 sid-2\n3.5 5 si")
    assert sites.heard(before) == [Heard(2.5, 4, "sid-2")]
    assert [one.site for one in sites.heard()] == [3, 4]


def test_a_site_that_is_not_told_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_out, "PATIENCE_S", 1)
    with listening(tmp_path) as sites:
        deaf = dataclasses.replace(sites, ports=(9, *sites.ports[1:]))
        with started(LockstepServer(store="sqlite", logout_uri=deaf.logout_uri)) as server:
            assert server.openid is not None
            person = sign_out._visitor(server, server.openid, 0)
            with pytest.raises(AssertionError, match=r"only \[2, 3, 4, .* were told"):
                sign_out.sign_out(server, server.openid, person, sites, ())


def test_each_delivery_is_made_once_and_counted_with_its_record() -> None:
    found = {(one.case.product, one.case.algorithm, one.name): one.value for one in deliveries.figures(GIVEN)}
    for product in ("lockstep", "floor"):
        for algorithm in ("ES256", "RS256"):
            assert found[product, algorithm, "per_second_and_core"] > 0
            assert found[product, algorithm, "cpu_ms"] > 0


def test_a_call_that_was_not_heard_shows(tmp_path: Path) -> None:
    with listening(tmp_path) as sites:
        heard = Listeners(sites.ports, tmp_path / "nothing.txt", sites.process)
        heard.notes.touch()
        with pytest.raises(AssertionError, match="0 calls"):
            deliveries._check(None, heard, ["sid-00-" + "a" * 32])


def test_a_check_in_lists_as_many_ends_as_there_are() -> None:
    found = {(one.case.product, one.at, one.name): one.value for one in check_in.figures(GIVEN)}
    for product in ("lockstep", "floor"):
        for at in ("0 ends", "100 ends"):
            assert found[product, at, "per_second"] > 0
            assert found[product, at, "p99_ms"] > 0


def test_a_check_in_that_lists_something_else_ends_the_run() -> None:
    server = LockstepServer(store="sqlite")
    with started(server):
        stores = check_in._stores(server, 2)
        act = check_in._workload(stores, 3).act
        with pytest.raises(WrongAnswer, match="3 ends: not expected was"):
            once(server.address, act(Stage(server, server.openid), 0, 0))
