"""What each step sends, counted where it leaves: packets of the client, commands of the server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from sso_server.core.policy import DAY, MINUTE, SECOND
from sso_server.core.polls import PollReport
from sso_server.core.tickets import NewToken
from sso_server.core.tokens import Rotation
from sso_server.stores.redis import RedisStores
from sso_server.stores.redis.line import Line
from tests.stores.redis.story import NOW, digest, new_jwt, new_redemption, new_report, new_session, new_ticket


@dataclass
class Sent:
    round_trips: int = 0
    scripts: int = 0
    commands: int = 0


@pytest.fixture
def counting(redis_url, stores, raw, monkeypatch) -> Callable:
    stores.health.store_time()  # the connection is open
    raw.ping()
    packets: list[object] = []
    write = Line.write

    def counted(self, *args, **kwargs):
        packets.append(self)
        return write(self, *args, **kwargs)

    def served() -> dict[str, int]:
        return {name: stat["calls"] for name, stat in raw.info("commandstats").items()}

    @contextmanager
    def count() -> Iterator[Sent]:
        sent, before = Sent(), served()
        monkeypatch.setattr(Line, "write", counted)
        packets.clear()
        yield sent
        monkeypatch.setattr(Line, "write", write)
        after = served()
        calls = {name: after[name] - before.get(name, 0) for name in after}
        sent.round_trips = len(packets)
        sent.scripts = calls.get("cmdstat_evalsha", 0) + calls.get("cmdstat_eval", 0)
        sent.commands = sent.scripts + sum(calls.get(f"cmdstat_{c}", 0) for c in ("zcount", "zcard", "exists"))

    return count


@pytest.fixture
def session(stores):
    """A session with one site, every script of the steps below already known to the server."""
    session = new_session()
    stores.sessions.open(session, NOW, MINUTE)
    return session


def twice(stores: RedisStores, session, step: str):
    """The step as a function that works the first and the second time."""

    def redeemable():
        ticket = new_ticket(session)
        stores.tickets.put(ticket)
        return new_redemption(ticket)

    def rotatable():
        redemption = redeemable()
        stores.tickets.redeem(redemption, NOW)
        later = NOW + MINUTE
        return Rotation(
            redemption.refresh.token_hash, 17, "shop", NewToken(digest(), later), NewToken(digest(), later), 1
        )

    makers = {"redeem": redeemable, "rotate": rotatable, "find_token": rotatable, "revoke": rotatable}
    sessions, made = stores.sessions, makers.get(step, new_session)
    arguments = [made(), made()]
    calls = {
        "open": lambda: sessions.open(arguments.pop(), NOW, MINUTE),
        "find": lambda: sessions.find(session.sid),
        "find_by_cookie": lambda: sessions.find_by_cookie(session.cookie_hash, 17, NOW),
        "touch": lambda: sessions.touch(session.sid, NOW + SECOND),
        "end": lambda: sessions.end(session.sid, "sign_out", NOW),
        "put": lambda: stores.tickets.put(new_ticket(session)),
        "redeem": lambda: stores.tickets.redeem(arguments.pop(), NOW),
        "rotate": lambda: stores.tokens.rotate(arguments.pop(), NOW),
        "find_token": lambda: stores.tokens.find_token(arguments.pop().token_hash, "rt", 17, NOW),
        "revoke": lambda: stores.tokens.revoke(arguments.pop().token_hash, "rt", 17, "shop", NOW),
        "of_session": lambda: stores.ledger.of_session(session.sid),
        "retry": lambda: stores.ledger.retry(session.sid, "", NOW),
    }
    return calls[step]


@pytest.mark.parametrize(
    ("step", "round_trips", "scripts"),
    [
        ("open", 1, 2),  # the person's index, the session
        ("find", 1, 0),
        ("find_by_cookie", 1, 1),
        ("touch", 1, 1),
        ("end", 1, 1),
        ("put", 1, 2),  # the person's index, the ticket
        ("redeem", 1, 1),
        ("rotate", 1, 1),
        ("find_token", 1, 1),
        ("revoke", 1, 1),
        ("of_session", 1, 1),
        ("retry", 1, 1),
    ],
)
def test_one_step_is_one_script_and_one_round_trip(stores, session, counting, step, round_trips, scripts):
    call = twice(stores, session, step)
    call()
    with counting() as sent:
        call()
    assert (sent.round_trips, sent.scripts) == (round_trips, scripts)


def test_a_rotation_is_sent_twice_only_when_the_persons_index_names_its_grant_too_shortly(stores, session, counting):
    ticket = new_ticket(session, offline=True)
    stores.tickets.put(ticket)
    redemption = new_redemption(ticket)
    stores.tickets.redeem(redemption, NOW)
    token, twice_on = redemption.refresh, []
    for day in range(10, 500, 10):
        now = NOW + day * DAY
        rotation = Rotation(
            token.token_hash, 17, "shop", NewToken(digest(), now + MINUTE), NewToken(digest(), now + 30 * DAY), MINUTE
        )
        with counting() as sent:
            assert stores.tokens.rotate(rotation, now).refusal is None
        token = rotation.refresh
        if sent.round_trips > 1:
            assert (sent.round_trips, sent.scripts) == (2, 3)
            twice_on.append(day)
    # Named for 400 days with its ticket, then for 40 days more than it needs.
    assert twice_on == [370, 420, 470]


@pytest.mark.parametrize("look", ["claim", "end_due", "purge", "archivable", "check_in", "feed", "poll", "wait"])
def test_a_look_at_64_buckets_with_nothing_in_them_runs_no_script(stores, session, counting, look):
    looks = {
        "claim": lambda: stores.outbox.claim("w", NOW, 10, SECOND),
        "end_due": lambda: stores.sweeps.end_due(NOW, 10),
        "purge": lambda: stores.sweeps.purge(NOW, 10),
        "archivable": lambda: stores.archive.list_archivable(10),
        "check_in": lambda: stores.check_ins.check_in(new_report(), NOW, 10),
        "feed": lambda: stores.check_ins.check_in(new_report(denied_from=0), NOW, 10),
        "poll": lambda: stores.polls.poll(PollReport("shop"), NOW, 10),
        "wait": lambda: stores.polls.has_waiting("shop", NOW),
    }
    looks[look]()  # the server knows the scripts from here on
    with counting() as sent:
        looks[look]()
    # A check-in also asks who answers, and is written down in the client's own slot.
    own = 2 if look in ("check_in", "feed") else 0
    assert (sent.round_trips, sent.scripts, sent.commands) == (1, own, 64 + own)


def test_a_check_in_visits_only_buckets_that_have_something(stores, session, counting):
    ticket = new_ticket(session)
    stores.tickets.put(ticket)
    stores.tickets.redeem(new_redemption(ticket), NOW)
    stores.sessions.end(session.sid, "sign_out", NOW)
    stores.check_ins.check_in(new_report(), NOW, 10)
    with counting() as sent:
        answer = stores.check_ins.check_in(new_report(), NOW, 10)
    assert [end.sid for end in answer.ends] == [session.sid]
    # Asked again in the second round trip: it must be the same server that answers.
    assert (sent.round_trips, sent.scripts) == (2, 4)
    with counting() as sent:
        stores.check_ins.check_in(new_report(acks=(session.sid,)), NOW, 10)
    assert (sent.round_trips, sent.scripts) == (1, 3)


def test_tokens_for_apis_cost_no_round_trip_but_where_something_is_to_be_refused(stores, session, counting):
    def redeemable():
        ticket = new_ticket(session)
        stores.tickets.put(ticket)
        return new_redemption(ticket, access=new_jwt())

    stores.tickets.redeem(redeemable(), NOW)
    redemption = redeemable()
    with counting() as sent:
        stores.tickets.redeem(redemption, NOW)
    assert (sent.round_trips, sent.scripts) == (1, 1)
    other = new_session(18)
    stores.sessions.open(other, NOW, MINUTE)
    stores.sessions.end(other.sid, "sign_out", NOW)
    with counting() as sent:
        stores.sessions.end(session.sid, "sign_out", NOW)
    assert (sent.round_trips, sent.scripts) == (1, 1)
    api = new_report(client_id="stock", denied_from=0)
    stores.check_ins.check_in(api, NOW, 10)
    with counting() as sent:
        assert [one.name for one in stores.check_ins.check_in(api, NOW, 10).denied] == [session.sid]
    # As with ends that wait: the second round trip goes to the one bucket that has something.
    assert (sent.round_trips, sent.scripts) == (2, 4)
