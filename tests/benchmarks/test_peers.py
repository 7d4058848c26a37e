"""Other people's servers (scripts/bench-peers): each that is installed answers all that it is said to answer."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.load import WrongAnswer, once
from benchmarks.peers import recipes
from benchmarks.peers.peer import Peer, Recipe
from benchmarks.peers.words import words
from benchmarks.proof import prove
from benchmarks.traffic import Person, Site
from benchmarks.workloads import WORKLOADS, Stage
from tests.support.services import find_redis_server

ROOT = Path(__file__).parents[2]
PACKAGES = (ROOT / "benchmarks/peers/packages.txt").read_text().splitlines()


def test_packages_are_names_and_versions_only() -> None:
    lines = [line for line in PACKAGES if not line.startswith("#")]
    shape = re.compile(r"(pypi [a-z-]+ [\w.-]+==[\w.]+|npm [a-z]+ (@[\w-]+/)?[\w-]+@[\w.]+|debian - [a-z0-9-]+)")
    assert [line for line in lines if not shape.fullmatch(line)] == []
    assert len(lines) == len(set(lines))


def test_node_is_the_one_that_the_page_names() -> None:
    if not recipes.NODE.exists():
        pytest.skip("oidc-provider is not installed (scripts/bench-peers)")
    said = subprocess.run([recipes.NODE, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    assert f"npm node node@{said.removeprefix('v')}" in PACKAGES
    assert f"Node.js {said.removeprefix('v')}" in words(())


def test_an_unknown_peer_is_refused_and_all_names_each() -> None:
    with pytest.raises(ValueError, match=r"there is no keycloak: .*oidc-provider"):
        recipes.peers(["keycloak"])
    products = {make().case.product for make in recipes.peers(["all"])}
    assert products == {recipe.case.product for recipe in recipes.RECIPES if recipe.is_installed}


def test_a_peer_that_is_not_installed_says_what_installs_it() -> None:
    from dataclasses import replace

    peer = Peer(replace(recipes.AUTHLIB, program="nowhere/at-all"))
    with pytest.raises(RuntimeError, match="scripts/bench-peers"):
        peer.start()


@pytest.fixture(params=recipes.RECIPES, ids=lambda recipe: f"{recipe.case.product} {recipe.case.algorithm}")
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    recipe: Recipe = request.param
    if not recipe.is_installed or find_redis_server() is None:
        pytest.skip(f"{recipe.case.product} is not installed (scripts/bench-peers)")
    peer = Peer(recipe)
    try:
        peer.start()
        yield peer
    finally:
        peer.stop()


def steps_of(stage: Stage) -> Iterator[tuple[str, Callable[[], object]]]:
    for name, workload in WORKLOADS.items():
        if name in stage.server.workloads and (workload.protocol == "cas") == (stage.server.openid is None):
            yield name, lambda act=workload.act: once(stage.server.address, act(stage, 0, 3))


@pytest.mark.engines
@pytest.mark.slow
def test_each_workload_is_answered_and_an_error_page_ends_the_run(peer: Peer) -> None:
    traffic = peer.openid or peer.cas
    assert traffic is not None
    stage = Stage(peer, traffic).sign_in(1)
    prove(stage)
    stage.issue(3, 20)
    # glewlwyd's refresh brings none.
    stage.people[0].id_token = stage.tokens[0].get("id_token", "")
    for name, act in steps_of(stage):
        if not WORKLOADS[name].spends or stage.tickets:
            act()
    with pytest.raises(WrongAnswer, match="not expected was"):
        once(peer.address, traffic.redeem(Site(1), "ST-1-nobody-has-issued-this"))
    with pytest.raises(WrongAnswer, match="not expected was"):
        once(peer.address, traffic.ticket(Person("user0"), Site(1)))
    if traffic.signs_out is not None:
        once(peer.address, traffic.sign_out(stage.people[0]))
        with pytest.raises(WrongAnswer, match="not expected was"):
            once(peer.address, traffic.ticket(stage.people[0], Site(2)))
