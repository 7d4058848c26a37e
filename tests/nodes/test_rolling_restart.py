"""Each node in turn is stopped and started while people sign in and out: nobody notices, nothing is lost."""

from collections import Counter

from tests.nodes.farm import Farm
from tests.nodes.people import Load, busy, claims_of
from tests.support.centre import wait_until
from tests.support.sinks import Sink

#: What SIGTERM may take, and what the supervisor's own end may take on a busy machine.
DRAIN_S = 10 + 3


def check_accounts(load: Load, sink: Sink) -> None:
    """Both sites of every sign-out were told, and called exactly as often as the ledger says."""
    with load.farm.centre.core() as built:
        ledger = built.services.ledger

        def untold() -> list[str]:
            rows = [row for sid in load.ended for row in ledger.of_session(sid)]
            return [f"{row.sid} {row.client_id} {row.state}" for row in rows if row.state != "acknowledged"]

        wait_until(lambda: not untold(), seconds=60, why="every site to be told")
        rows = [row for sid in load.ended for row in ledger.of_session(sid)]
    assert Counter(row.client_id for row in rows) == dict.fromkeys(
        (load.party.client_id, load.asker.client_id), len(load.ended)
    )
    came = Counter(claims_of(request.form["logout_token"])["sid"] for request in sink.inbox)
    assert {row.sid: row.sends for row in rows if row.client_id == load.party.client_id} == came
    assert set(load.polled) == set(load.ended)


def test_nobody_notices_that_each_node_in_turn_is_restarted(own_farm: Farm) -> None:
    stops = []
    with Sink() as sink:
        with busy(own_farm, sink) as load:

            def wait_for_more() -> None:
                before = len(load.ended)
                wait_until(lambda: len(load.ended) > before + 10, seconds=180, why="people to go on")

            wait_for_more()
            for node in own_farm.nodes * 2:
                stops.append(node.stop())
                wait_for_more()
                node.start()
                wait_for_more()
        assert not load.failures, load.failures[:10]
        check_accounts(load, sink)
    assert max(stops) < DRAIN_S, stops
    elsewhere = [(status, request) for node, status, request in own_farm.answered() if "," in node]
    assert elsewhere, "no call met a node that had gone: nothing was tested"
    # A call that a node had taken was answered by that node: only what was refused went elsewhere.
    took_part = {address for node, _, _ in own_farm.answered() for address in node.split(", ")}
    assert took_part == {f"127.0.0.1:{node.port}" for node in own_farm.nodes}
    print(
        f"{len(load.ended)} sign-outs, {load.calls.total()} calls, {len(elsewhere)} sent elsewhere"
        f" ({dict(Counter(request.split()[0] for _, request in elsewhere))}), slowest {load.slowest_s:.1f} s,"
        f" stops {[round(s, 1) for s in stops]}"
    )
