"""A storm in small: people really sign in while checks are made, and each state has its figures."""

import pytest

from benchmarks import storm
from benchmarks.lockstep_server import LockstepServer
from benchmarks.servers import started
from benchmarks.workloads import Stage

pytestmark = [pytest.mark.slow, pytest.mark.engines]


def test_checks_are_timed_with_and_without_a_crowd() -> None:
    settings = {"SSO_TRUSTED_PROXIES": "127.0.0.1/32"}
    with started(LockstepServer(store="sqlite", settings=settings)) as server:
        assert isinstance(server, LockstepServer)
        storm.add_crowd(server, 3)
        found = list(storm.one_round(Stage(server, server.openid).sign_in(1), 0, 1, 3))
    values = {(one.at, one.name): one.value for one in found}
    assert values["storm", "sign_ins_a_second"] > 0
    # Three people are nobody's crowd.
    assert values["storm", "sent_away_a_second"] == 0
    assert 0 < values["idle", "p50_ms"] <= values["idle", "p99_ms"]
    assert 0 < values["storm", "p50_ms"] <= values["storm", "p99_ms"]
