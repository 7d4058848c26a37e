"""Values that somebody else wrote under our keys: treated as absent, or Unavailable; never another error."""

import random

import pytest

from sso_server.core.errors import Unavailable
from sso_server.core.policy import DAY, MINUTE
from sso_server.core.polls import PollReport
from tests.stores.redis.story import NOW, SHOP_STORE, Story, new_redemption, new_report, new_session, new_ticket

GARBAGE = [
    b"",
    b"\x00\xff\xfe",
    b"-1",
    b"1e400",
    b"nan",
    b"[]",
    b"{}",
    b'{"n":null}',
    b"99/x/y",
    b"17//",
    "锁".encode() * 9,
]


def write_as(raw, key: str, kind: str, value: bytes) -> None:
    raw.delete(key)
    if kind == "string":
        raw.set(key, value)
    elif kind == "hash":
        raw.hset(key, "sid", value)
    elif kind == "list":
        raw.rpush(key, value)
    elif kind == "zset":
        raw.zadd(key, {value: 0})
    else:
        raw.sadd(key, value)


@pytest.fixture
def scene(stores):
    """Two sessions, one of them ended, with sites, tokens and rows; and everything that can be asked about them."""
    live, over = new_session(), new_session()
    redemptions = []
    for session in (live, over):
        stores.sessions.open(session, NOW, MINUTE)
        ticket = new_ticket(session)
        stores.tickets.put(ticket)
        redemptions.append(new_redemption(ticket))
        stores.tickets.redeem(redemptions[-1], NOW)
    stores.check_ins.check_in(new_report(), NOW, 10)
    stores.polls.poll(PollReport("shop"), NOW, 10)
    stores.sessions.end(over.sid, "sign_out", NOW)
    token = redemptions[0].access.token_hash
    return [
        lambda: stores.sessions.find(live.sid),
        lambda: stores.sessions.find_by_cookie(live.cookie_hash, 17, NOW),
        lambda: stores.sessions.touch(live.sid, NOW),
        lambda: stores.sessions.open(new_session(browser_hash=live.browser_hash), NOW, MINUTE),
        lambda: stores.lists.list_live(NOW, 10),
        lambda: stores.lists.list_live(NOW, 10, user_id=live.user_id),
        lambda: stores.lists.list_live(NOW, 10, client_id="shop", older_than_version=9, opened_before=NOW + 1),
        lambda: stores.lists.participants(live.sid),
        lambda: stores.lists.count_live(NOW),
        lambda: stores.tickets.redeem(redemptions[0], NOW),
        lambda: stores.tickets.find(redemptions[0].ticket_hash, 17),
        lambda: stores.tokens.find_token(token, "at", 17, NOW),
        lambda: stores.tokens.revoke(token, "at", 17, "shop", NOW),
        lambda: stores.tokens.revoke_grants_of(live.user_id, NOW),
        lambda: stores.check_ins.registered("shop", [live.sid, over.sid]),
        lambda: stores.check_ins.check_in(new_report(active=(live.sid,), live=(live.sid,)), NOW, 10),
        lambda: stores.check_ins.find_site_stores("shop"),
        lambda: stores.past.beat(NOW, 1),
        lambda: stores.tokens.revoke_grants_before(NOW + 1, NOW),
        lambda: stores.polls.poll(PollReport("shop", (live.sid,), ((over.sid, "set_err:x"),)), NOW, 10),
        lambda: stores.polls.has_waiting("shop", NOW),
        lambda: stores.polls.last_poll_at("shop"),
        lambda: stores.outbox.next_due(NOW),
        lambda: stores.outbox.claim("w", NOW, 10, MINUTE),
        lambda: stores.ledger.of_session(over.sid),
        lambda: stores.ledger.list_ended(10, unfinished_only=True),
        lambda: stores.ledger.retry(over.sid, "", NOW),
        lambda: stores.ledger.abandon(over.sid, "", "admin", NOW),
        lambda: stores.archive.mark_archived(stores.archive.list_archivable(10)),
        lambda: stores.sweeps.oldest_due(NOW),
        lambda: stores.sessions.end(live.sid, "sign_out", NOW),
        lambda: stores.sweeps.end_due(NOW + DAY, 10),
        lambda: stores.sweeps.purge(NOW + 3 * DAY, 10),
    ]


def tolerate(call) -> bool:
    """Whether it answered; any error but Unavailable fails the test."""
    try:
        call()
    except Unavailable:
        return False
    return True


@pytest.mark.parametrize("kind", ["string", "hash", "list", "zset", "set"])
@pytest.mark.parametrize("garbage", range(len(GARBAGE)))
def test_any_key_may_hold_anything(scene, raw, prefix, kind, garbage):
    for key in sorted(raw.scan_iter(f"{prefix}:*", count=1000)):
        write_as(raw, key, kind, GARBAGE[garbage])
    for call in scene:
        tolerate(call)


def test_any_field_may_hold_anything(scene, raw, prefix):
    chance = random.Random(7)
    hashes = sorted(key for key in raw.scan_iter(f"{prefix}:*", count=1000) if raw.type(key) == "hash")
    for _ in range(60):
        for key in hashes:
            for field in raw.hkeys(key):
                if chance.random() < 0.3:
                    raw.hset(key, field, chance.choice(GARBAGE))
                elif chance.random() < 0.1:
                    raw.hdel(key, field)
        for call in scene:
            tolerate(call)


def test_a_session_that_cannot_be_read_admits_nobody_and_does_not_stop_the_sweeper(stores, raw, prefix):
    broken, good = new_session(), new_session()
    for session in (broken, good):
        stores.sessions.open(session, NOW, MINUTE)
    ticket = new_ticket(broken)
    stores.tickets.put(ticket)
    raw.hset(f"{prefix}:{{b17}}:session:{broken.sid}", "absolute_until", "soon")
    assert stores.sessions.find(broken.sid) is None
    assert stores.tickets.redeem(new_redemption(ticket), NOW).refusal == "session_ended"
    assert [ended.session.sid for ended in stores.sweeps.end_due(NOW + DAY, 10)] == [good.sid]
    assert stores.sweeps.oldest_due(NOW + DAY) is None


def test_a_site_that_cannot_be_read_is_still_told_at_its_check_in(stores, raw, prefix):
    session = new_session()
    stores.sessions.open(session, NOW, MINUTE)
    ticket = new_ticket(session)
    stores.tickets.put(ticket)
    stores.tickets.redeem(new_redemption(ticket), NOW)
    key = f"{prefix}:{{b17}}:sites:{session.sid}"
    raw.hset(key, raw.hkeys(key)[0], "not JSON")
    stores.sessions.end(session.sid, "sign_out", NOW)
    assert [end.sid for end in stores.check_ins.check_in(new_report(), NOW, 10).ends] == [session.sid]


def test_a_cas_site_that_cannot_be_read_is_still_told_by_the_message_for_its_ticket(stores, raw, prefix):
    session, text = new_session(), "ST-17-" + "a" * 32
    stores.sessions.open(session, NOW, MINUTE)
    for store in (text, SHOP_STORE):
        ticket = new_ticket(session)
        stores.tickets.put(ticket)
        stores.tickets.redeem(new_redemption(ticket, store), NOW)
    key = f"{prefix}:{{b17}}:sites:{session.sid}"
    for field in raw.hkeys(key):
        raw.hset(key, field, "not JSON")
    stores.sessions.end(session.sid, "sign_out", NOW)
    assert {row.ticket: row.kind for row in stores.ledger.of_session(session.sid)} == {text: "cas", "": "oidc"}


def test_a_row_that_cannot_be_read_makes_the_check_in_fail_because_a_list_with_a_hole_must_not_renew_a_lease(
    stores, raw, prefix
):
    story = Story(stores)
    for step in story.steps():
        if step == "end":
            break
    for key in raw.scan_iter(f"{prefix}:{{b17}}:row:*/shop/*"):
        raw.hset(key, "ended_at", "yesterday")
    with pytest.raises(Unavailable):
        stores.check_ins.check_in(new_report(), NOW, 10)
