"""Rows of mass ends in the lanes: they use what is left, and never all of it."""

from sso_server.delivery.lanes import AT_ONCE, MOST_WAITING, Lanes
from tests.delivery.test_lanes import NOW, OK, filled, row


def answering(*client_ids: str) -> Lanes:
    """Sites that have answered before, each within 1 ms."""
    lanes = filled(Lanes(), *client_ids)
    for client_id in client_ids:
        assert lanes.take() is not None
        lanes.finish(row(client_id), OK, NOW, took_ms=1)
    return lanes


def taken(lanes: Lanes) -> list[bool]:
    """Of what may be sent now, which are of mass ends."""
    found = []
    while (one := lanes.take()) is not None:
        found.append(one.bulk)
    return found


def test_what_somebody_waits_for_goes_first_at_its_site_and_at_all_sites() -> None:
    lanes = filled(answering("a", "b"), *["a"] * 5, "b", bulk=True)
    filled(lanes, "a")
    first = lanes.take()
    assert first is not None
    assert (first.client_id, first.bulk) == ("a", False)


def test_a_mass_end_leaves_one_send_of_each_site_free() -> None:
    lanes = filled(answering("a"), *["a"] * 20, bulk=True)
    assert taken(lanes) == [True] * (AT_ONCE - 1)
    filled(lanes, "a")
    assert taken(lanes) == [False]
    lanes.finish(row("a", bulk=True), OK, NOW)
    filled(lanes, "a")
    assert taken(lanes) == [False]


def test_a_site_that_never_answered_gets_one_of_either_class() -> None:
    lanes = filled(filled(Lanes(), "a", "a", bulk=True), "a", "a")
    assert taken(lanes) == [False]


def test_one_in_four_is_of_the_mass_end_when_the_others_never_stop() -> None:
    lanes = answering("a", "b")
    sent = {False: 0, True: 0}
    for _ in range(400):
        filled(filled(lanes, "a"), "b", bulk=True)
        one = lanes.take()
        assert one is not None
        sent[one.bulk] += 1
        lanes.finish(one, OK, NOW, took_ms=1)
    assert sent[True] == 100


def test_the_same_holds_where_both_wait_at_one_site() -> None:
    lanes, sent = answering("a"), []
    for _ in range(80):
        filled(filled(lanes, "a"), "a", bulk=True)
        one = lanes.take()
        assert one is not None
        sent.append(one.bulk)
        lanes.finish(one, OK, NOW, took_ms=1)
    assert sent.count(True) == 20


def test_a_house_full_of_one_class_has_room_for_the_other() -> None:
    names = [f"site-{number}" for number in range(40)]
    lanes = answering(*names)
    while lanes.room(bulk=True):
        filled(lanes, names[lanes.waiting % 40], bulk=True)
    assert lanes.waiting > MOST_WAITING * 0.95
    assert lanes.room(bulk=False) == MOST_WAITING * 3 // 4
    lanes = answering(*names)
    while lanes.room(bulk=False):
        filled(lanes, names[lanes.waiting % 40])
    assert lanes.room(bulk=True) >= MOST_WAITING // 4


def test_a_site_s_lane_full_of_a_mass_end_takes_what_somebody_waits_for() -> None:
    lanes = answering("a")
    while lanes.add(row("a", bulk=True), NOW):
        pass
    empty = answering("a")
    for taking in (lanes, empty):
        while taking.add(row("a"), NOW):
            pass
    assert lanes._waiting[False] == empty._waiting[False]
    # Only its own class is ahead of it, and both of the others.
    urgent = lanes.postponed(row("a"), NOW).next_attempt_at
    bulk = lanes.postponed(row("a", bulk=True), NOW).next_attempt_at
    assert urgent is not None
    assert bulk is not None
    assert urgent < bulk
