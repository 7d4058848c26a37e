from tests.support.builders import NOW


def keeps_heartbeats(stores) -> bool:
    return stores.past.look().heartbeat is not None


def test_the_same_server_is_the_same_to_everybody_and_at_every_look(stores, other_stores):
    found = stores.past.look().incarnation
    assert found
    assert stores.past.look().incarnation == other_stores.past.look().incarnation == found
    assert stores.past.beat(NOW, 0).incarnation == found


def test_a_heartbeat_never_goes_back(stores, other_stores):
    if not keeps_heartbeats(stores):
        # It would go back together with what it is compared with.
        assert stores.past.beat(NOW, 0).heartbeat is None
        return
    assert stores.past.look().heartbeat == 0
    assert stores.past.beat(NOW, 0).heartbeat == NOW
    assert other_stores.past.beat(NOW - 5000, 0).heartbeat == NOW
    assert other_stores.past.look().heartbeat == NOW


def test_a_heartbeat_that_was_lost_is_not_papered_over(stores):
    if not keeps_heartbeats(stores):
        return
    stores.past.beat(NOW, 0)
    assert stores.past.beat(NOW + 9000, NOW + 1).heartbeat == NOW, "what proves the loss must stay"
    assert stores.past.look().heartbeat == NOW
    assert stores.past.beat(NOW + 9000, NOW).heartbeat == NOW + 9000
