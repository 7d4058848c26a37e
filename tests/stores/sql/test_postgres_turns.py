"""Nobody waits crosswise: who changes many rows of the ledger takes them in one order."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from sso_server.core.notifications import State
from sso_server.stores.sql import SqlStores, migrate
from tests.support.builders import NOW, a_report, a_result, opened, registered

pytestmark = [pytest.mark.postgres, pytest.mark.engines]
ROUNDS = 25


@pytest.fixture
def stores(postgres):
    url = postgres.create_database()
    migrate.upgrade(url)
    stores = SqlStores.open(url)
    yield stores
    stores.close()


def test_results_and_acknowledgements_of_the_same_rows_in_any_order_never_lock_each_other_out(stores):
    sids = []
    for _ in range(40):
        session = opened(stores)
        redemption, _ = registered(stores, session)
        sids.append(session.sid)
        stores.sessions.end(session.sid, "sign_out", NOW)
    client, store = redemption.client_id, redemption.store_id
    rows = stores.outbox.claim("worker", NOW + 1, 100, 60_000)
    assert len(rows) == 40

    def record(order):
        stores.outbox.record([a_result(row, State.PENDING, next_attempt_at=NOW) for row in order], NOW + 2)

    def acknowledge(order):
        stores.check_ins.check_in(a_report(store, client_id=client, acks=tuple(order)), NOW + 2, 100)

    for seed in range(ROUNDS):
        shuffled = random.Random(seed)
        with stores.database.write() as connection:
            connection.execute(text("UPDATE notifications SET state = 'claimed', attempt = 1"))
        with ThreadPoolExecutor(4) as threads:
            work = [threads.submit(record, shuffled.sample(rows, 40)) for _ in range(3)]
            work.append(threads.submit(acknowledge, shuffled.sample(sids, 40)))
            for one in work:
                one.result(timeout=60)
