"""What happens at every sign-in, sign-out, check-in and delivery finds its rows by an index, however many there are."""

import pytest
from sqlalchemy import event, text

from sso_server.core.notifications import State
from sso_server.stores.sql import SqlStores, migrate, prepared
from sso_server.stores.sql.engine import Database
from tests.support.builders import NOW, a_redemption, a_report, a_result, a_rotation, issued, opened

pytestmark = [pytest.mark.postgres, pytest.mark.engines]

SESSIONS = 20_000
GROW = ("sessions", "participants", "notifications", "tickets", "grants", "tokens", "guesses", "denied", "audit")
FILL = (
    f"""INSERT INTO sessions (sid, user_id, user_version, browser_hash, cookie_hash, previous_cookie_until, auth_time,
    amr, created_at, last_active_at, idle_allowance_ms, absolute_until, remembered, user_agent, address, idle_off,
    due_at,
    ended_at, end_reason) SELECT 'sid-' || md5(i::text), 'usr-' || i % 9000, 1, md5('b' || i), md5('c' || i), 0, 0,
    '[]', {NOW} - i, {NOW} - i, 28800000, {NOW} + 86400000, false, repeat('x', 80), '192.0.2.7', false, {NOW} +
    28800000 - i,
    CASE WHEN i % 10 = 0 THEN {NOW} - i END, CASE WHEN i % 10 = 0 THEN 'sign_out' END
    FROM generate_series(1, {SESSIONS}) i""",
    """INSERT INTO participants (sid, client_id, store_id, kind, logout_uri, registered_at, local_until, reports)
    SELECT sid, 'client-' || k, 'store-' || k, 'oidc', 'https://site/out', created_at, absolute_until, true
    FROM sessions, generate_series(1, 3) k""",
    f"""INSERT INTO notifications (sid, client_id, store_id, kind, logout_uri, user_id, reason, ended_at, local_until,
    state, attempt, next_attempt_at, claimed_by, claimed_until, final_at, last_status, last_error, due_at) SELECT p.sid,
    p.client_id, p.store_id, 'oidc', p.logout_uri, user_id, 'sign_out', ended_at, local_until,
    CASE WHEN s.created_at % 9 = 0 THEN 'pending' ELSE 'acknowledged' END, 1, NULL, '', 0, ended_at, 200, '',
    CASE WHEN s.created_at % 9 = 0 THEN {NOW} END FROM participants p JOIN sessions s USING (sid) WHERE ended_at > 0""",
    """INSERT INTO tickets (ticket_hash, kind, sid, client_id, user_id, redirect_uri, code_challenge, nonce, scope,
    auth_time, amr, issued_at, expires_at, refreshable, offline) SELECT md5('t' || sid), 'code', sid, 'client-1',
    user_id, 'u', 'c', 'n', '[]', 0, '[]', created_at, created_at + 60000, true, false FROM sessions""",
    """INSERT INTO grants (grant_id, sid, client_id, user_id, scope, auth_time, amr, offline, created_at, keep_until,
    heir, heir_step) SELECT md5(sid || client_id), sid, client_id, 'usr-' || md5(sid), '[]', 0, '[]', false,
    registered_at,
    local_until, '', 0 FROM participants""",
    """INSERT INTO tokens (token_hash, grant_id, kind, step, issued_at, expires_at) SELECT md5(grant_id || k), grant_id,
    'at', 1, 0, keep_until FROM grants, generate_series(1, 2) k""",
    f"""INSERT INTO audit (at, kind, user_id, sid, client_id, actor, data) SELECT {NOW} - 1000, 'session_ended',
    user_id,
    sid, '', '', '{{}}' FROM sessions""",
)


@pytest.fixture(scope="module")
def url(postgres):
    url = postgres.create_database()
    migrate.upgrade(url)
    filler = Database(url, patient=True)
    with filler.write() as connection:
        for statement in FILL:
            connection.execute(text(statement))
    with filler.read() as connection:
        connection.execute(text("ANALYZE"))
    filler.close()
    return url


def live(stores):
    """Everything that happens often."""
    one, other = opened(stores), opened(stores)
    stores.sessions.find_by_cookie(one.cookie_hash, 0, NOW)
    stores.sessions.touch(one.sid, NOW + 1)
    redemption = a_redemption(issued(stores, one, refreshable=True))
    assert stores.tickets.redeem(redemption, NOW).refusal is None
    stores.tokens.find_token(redemption.access.token_hash, "at", 0, NOW)
    if redemption.refresh is not None:
        stores.tokens.rotate(a_rotation(redemption.refresh, NOW, of=one.sid), NOW)
    both = (one.sid, other.sid)
    stores.check_ins.check_in(a_report("store-1", active=both, live=both, acks=both), NOW, 100)
    stores.polls.has_waiting("client-1", NOW)
    assert stores.sessions.end(one.sid, "sign_out", NOW + 2).first
    rows = stores.outbox.claim("worker", NOW + 5, 50, 30_000)
    assert len(rows) == 50
    stores.outbox.record([a_result(rows[0], State.ACKNOWLEDGED)], NOW + 6)
    stores.outbox.list_claimed(NOW + 5, 10, 30_000)
    assert stores.sweeps.end_due(NOW + 28_800_000 - SESSIONS + 100, 20)
    stores.archive.list_archivable(50)
    stores.ledger.of_session(one.sid)
    stores.lists.list_live(NOW, 50, user_id="usr-5")
    stores.journal.ends_of([one.sid])
    stores.restorations.state()


def test_nothing_that_happens_often_reads_a_whole_table(url, monkeypatch):
    stores = SqlStores.open(url)
    asked = {}

    def note(_connection, _cursor, statement, parameters, _context, many):
        if not statement.startswith("LOCK"):
            asked.setdefault(statement, parameters[0] if many else parameters)

    run = prepared._run

    def run_noted(connection, how, sql, values):
        # These go past SQLAlchemy's events.
        note(connection, None, sql, values, None, how == "executemany")
        return run(connection, how, sql, values)

    monkeypatch.setattr(prepared, "_run", run_noted)
    event.listen(stores.database._engine, "before_cursor_execute", note)
    live(stores)
    event.remove(stores.database._engine, "before_cursor_execute", note)
    assert len(asked) > 25
    whole = []
    with stores.database.read() as connection:
        driver = connection.connection.driver_connection
        for statement, parameters in asked.items():
            plan = "\n".join(line for (line,) in driver.execute(f"EXPLAIN {statement}", parameters))
            whole += [statement for table in GROW if f"Seq Scan on {table}" in plan]
    stores.close()
    assert whole == []
