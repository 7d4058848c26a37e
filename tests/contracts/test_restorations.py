from dataclasses import replace

import sqlalchemy as sa

from sso_server.core.events import Event, EventKind
from sso_server.core.identifiers import digest
from sso_server.core.restorations import Restoration
from sso_server.core.revocations import Revocation
from tests.support.builders import NOW

FIRST = Restoration("res-1", "first_seen", NOW, 0, False, "redis:a:b", finished_at=NOW)
FOUND = Restoration("res-2", "mark", NOW + 10, NOW - 5, False, "redis:c:d")


def test_nothing_is_known_before_the_first_row(sql_stores):
    assert sql_stores.restorations.state() is None


def test_the_first_look_is_no_restoration(sql_stores):
    assert sql_stores.restorations.begin(FIRST, after="")
    state = sql_stores.restorations.state()
    assert (state.newest, state.installation, state.unfinished) == (FIRST, "res-1", None)
    assert (state.detected_at, state.heartbeat, state.journal_end, state.journal_line) == (0, 0, 0, "")


def test_what_was_found_is_kept_as_it_was_written_until_it_is_finished(sql_stores):
    sql_stores.restorations.begin(FIRST, after="")
    assert sql_stores.restorations.begin(FOUND, after="res-1")
    state = sql_stores.restorations.state()
    assert (state.newest, state.unfinished, state.installation) == (FOUND, FOUND, "res-1")
    assert state.detected_at == NOW + 10
    sql_stores.restorations.finish("res-2", "redis:e:f", 7, NOW + 20)
    done = sql_stores.restorations.state().newest
    assert done == replace(FOUND, incarnation="redis:e:f", ended=7, finished_at=NOW + 20)


def test_the_first_to_finish_has_the_word(sql_stores):
    sql_stores.restorations.begin(FOUND, after="")
    sql_stores.restorations.finish("res-2", "redis:e:f", 7, NOW + 20)
    sql_stores.restorations.finish("res-2", "redis:g:h", 0, NOW + 30)
    assert sql_stores.restorations.state().newest.incarnation == "redis:e:f"


def test_of_several_who_find_out_together_one_writes(sql_stores):
    assert sql_stores.restorations.begin(FIRST, after="")
    assert not sql_stores.restorations.begin(replace(FIRST, restoration_id="res-9"), after="")
    assert sql_stores.restorations.begin(FOUND, after="res-1")
    assert not sql_stores.restorations.begin(replace(FOUND, restoration_id="res-3"), after="res-1")
    assert not sql_stores.restorations.begin(replace(FOUND, restoration_id="res-4"), after="res-2"), "not finished yet"
    sql_stores.restorations.finish("res-2", "redis:c:d", 0, NOW + 20)
    assert not sql_stores.restorations.begin(replace(FOUND, restoration_id="res-5"), after="res-1"), "answered by res-2"
    assert sql_stores.restorations.begin(
        replace(FOUND, restoration_id="res-6", end_all=True, answers="res-1"), after="res-2"
    )
    found = [(row.restoration_id, row.end_all, row.answers) for row in sql_stores.restorations.rows()]
    assert found == [("res-1", False, ""), ("res-2", False, ""), ("res-6", True, "res-1")]


def test_an_incarnation_is_learnt_once(sql_stores):
    sql_stores.restorations.begin(replace(FIRST, incarnation=""), after="")
    sql_stores.restorations.learn("redis:a:b")
    sql_stores.restorations.learn("redis:c:d")
    assert sql_stores.restorations.state().newest.incarnation == "redis:a:b"


def test_the_noted_heartbeat_never_goes_back(sql_stores):
    sql_stores.restorations.begin(FIRST, after="")
    for at in (NOW, NOW + 5, NOW - 5):
        sql_stores.restorations.note_heartbeat(at)
    assert sql_stores.restorations.state().heartbeat == NOW + 5


def ended(sid, at, reason="sign_out"):
    return Event(at, EventKind.SESSION_ENDED, sid=sid, data={"reason": reason})


def test_the_journal_knows_which_of_the_sessions_have_ended(sql_stores):
    sql_stores.audit.append(Event(NOW, EventKind.SIGNED_IN, sid="sid-live"), ended("sid-a", NOW, "idle"))
    assert sql_stores.journal.ends_of(["sid-live", "sid-a", "sid-never"]) == {"sid-a": "idle"}
    assert sql_stores.journal.ends_of([]) == {}


def test_the_journal_knows_what_was_revoked_line_by_line(sql_stores):
    one, two = (Revocation(kind, digest(kind), 17, "shop") for kind in ("rt", "code"))
    of_a_newer_version = Event(NOW, EventKind.TOKEN_REVOKED, client_id="shop", data={"family": "x"})
    sql_stores.audit.append(one.event(NOW), ended("sid-a", NOW), of_a_newer_version, two.event(NOW))
    (first, _), (second, _), (third, _) = lines = sql_stores.journal.revocations_after(0, 10)
    assert [revocation for _, revocation in lines] == [one, None, two]
    assert first < second < third
    assert sql_stores.journal.revocations_after(first, 1) == [(second, None)]
    assert sql_stores.journal.revocations_after(third, 10) == []


def test_lines_of_a_newer_version_are_passed_over(sql_stores):
    sql_stores.audit.append(ended("sid-a", NOW))
    with sql_stores.database.write() as connection:
        connection.execute(sa.text("UPDATE audit SET kind = 'not_invented_yet'"))
    assert sql_stores.audit.list_events(10) == []


def test_the_journal_is_read_page_by_page_from_a_moment_on(sql_stores):
    sql_stores.restorations.begin(FIRST, after="")
    assert sql_stores.journal.position_at(NOW) == 0
    # Lines are written in any order; those of a moment stand behind the position that is answered for it.
    sql_stores.audit.append(ended("sid-a", NOW), ended("sid-b", NOW + 50), ended("sid-c", NOW + 20))
    sql_stores.audit.append(Event(NOW + 60, EventKind.SIGNED_IN), ended("sid-d", NOW + 30, "idle"))
    assert [sid for _, sid, _ in sql_stores.journal.ends_after(0, 10)] == ["sid-a", "sid-b", "sid-c", "sid-d"]
    begin = sql_stores.journal.position_at(NOW + 20)
    first = sql_stores.journal.ends_after(begin, 2)
    assert [sid for _, sid, _ in first] == ["sid-b", "sid-c"]
    ((number, sid, reason),) = sql_stores.journal.ends_after(first[-1][0], 2)
    assert (sid, reason) == ("sid-d", "idle")
    assert sql_stores.restorations.state().journal_end == number == sql_stores.journal.position_at(NOW + 61)
    assert sql_stores.journal.ends_after(number, 10) == []


def test_a_line_of_the_journal_is_told_from_another_one_in_its_place(sql_stores):
    sql_stores.restorations.begin(FIRST, after="")
    assert sql_stores.restorations.holds_line(0, ""), "the journal was empty"
    assert not sql_stores.restorations.holds_line(1, "lost")
    sql_stores.audit.append(Event(NOW, EventKind.SIGNED_IN), ended("sid-a", NOW))
    state = sql_stores.restorations.state()
    first = state.journal_end - 1
    assert sql_stores.restorations.holds_line(state.journal_end, state.journal_line)
    assert not sql_stores.restorations.holds_line(first, state.journal_line)
    assert not sql_stores.restorations.holds_line(state.journal_end + 1, state.journal_line)
    sql_stores.audit.append(ended("sid-b", NOW + 20))
    assert sql_stores.restorations.holds_line(state.journal_end, state.journal_line)
    sql_stores.audit.purge_events(NOW + 10, 100)
    assert sql_stores.restorations.holds_line(first, "purged since")
