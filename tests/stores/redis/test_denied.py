"""What APIs must refuse, written by a server whose clock is ahead of the one that answers (the master before it)."""

from sso_server.core.identifiers import bucket_of
from sso_server.core.policy import HOUR, MINUTE
from sso_server.stores.redis.keys import Keys
from tests.contracts.test_denials import LIFE, MARGIN, ask, rotated, with_jwt
from tests.support.builders import NOW, opened

AHEAD_US = 3_600_000_000


def ended_ahead(stores, raw, prefix, count):
    """Sessions that ended with JWTs for `stock`, all by a clock that is ahead."""
    sessions = [opened(stores) for _ in range(count)]
    for session in sessions:
        with_jwt(stores, session)
        stores.sessions.end(session.sid, "sign_out", NOW)
    for key in {Keys(prefix).denied(bucket_of(session.sid), "stock") for session in sessions}:
        for member in raw.zrange(key, 0, -1):
            raw.zincrby(key, AHEAD_US, member)
    return {session.sid for session in sessions}


def test_an_entry_from_a_clock_ahead_is_heard_at_once_and_again(stores, raw, prefix):
    ahead = ended_ahead(stores, raw, prefix, 3)
    answer = ask(stores)
    assert {one.name for one in answer.denied} == ahead
    assert {one.name for one in ask(stores, begin=answer.denied_to).denied} == ahead


def test_who_reads_entries_from_a_clock_ahead_in_parts_skips_none_that_comes_meanwhile(stores, raw, prefix):
    ahead = ended_ahead(stores, raw, prefix, 3)
    answer = ask(stores, most_denied=2)
    seconds, micros = raw.time()
    assert (len(answer.denied), answer.more) == (2, True)
    assert answer.denied_to <= seconds * 1_000_000 + micros, "else the next call would begin from the first"
    late = opened(stores)
    with_jwt(stores, late)
    stores.sessions.end(late.sid, "sign_out", NOW)
    rest = ask(stores, begin=answer.denied_to)
    assert {one.name for one in rest.denied} == ahead | {late.sid}
    assert not rest.more


def test_who_reads_one_entry_at_a_time_reads_all_that_one_step_wrote(stores):
    session = opened(stores)
    first = with_jwt(stores, session)
    second, _ = rotated(stores, first.refresh, NOW + 1, session)
    assert stores.tokens.revoke_grants_of("usr-alice", NOW) == 1
    heard, begin, more = [], 0, True
    while more and len(heard) < 9:
        answer = ask(stores, begin=begin, most_denied=1)
        heard += [one.name for one in answer.denied]
        begin, more = answer.denied_to, answer.more
    assert set(heard) == {first.access.jti, second.access.jti}
    assert not more


def test_a_feed_goes_by_itself_when_its_last_entry_is_moot(stores, raw, prefix):
    session = opened(stores)
    with_jwt(stores, session)
    stores.sessions.end(session.sid, "sign_out", NOW)
    left_ms = raw.pttl(Keys(prefix).denied(bucket_of(session.sid), "stock"))
    assert LIFE + MARGIN - MINUTE < left_ms <= LIFE + MARGIN
    with_jwt(stores, later := opened(stores, bucket=bucket_of(session.sid)), NOW + HOUR)
    stores.sessions.end(later.sid, "sign_out", NOW)
    assert raw.pttl(Keys(prefix).denied(bucket_of(session.sid), "stock")) > HOUR


def test_moot_entries_that_fill_a_buckets_page_hide_no_live_one(stores):
    session = opened(stores)
    moot = [opened(stores, bucket=bucket_of(session.sid)) for _ in range(3)]
    for each in moot:
        with_jwt(stores, each)
        stores.sessions.end(each.sid, "sign_out", NOW)
    later = NOW + LIFE + MARGIN
    with_jwt(stores, session, later)
    stores.sessions.end(session.sid, "sign_out", NOW)
    heard, begin = [], 0
    for _ in range(9):
        answer = ask(stores, later, begin=begin, most_denied=1)
        heard += [one.name for one in answer.denied]
        begin = answer.denied_to
    assert set(heard) == {session.sid}
