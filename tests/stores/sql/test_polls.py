"""The questions of a poll, twice a second for everybody who waits, are answered from an index."""

import pytest

from sso_server.stores.sql import SqlStores, migrate, polls
from tests.support.builders import NOW


@pytest.mark.parametrize("statement", [polls._LOOK, polls._LIST])
def test_each_is_a_search_among_the_rows_of_this_client_alone(tmp_path, statement):
    url = f"sqlite:///{tmp_path / 'lockstep.db'}"
    migrate.upgrade(url)
    stores = SqlStores.open(url)
    with stores.database.read() as connection:
        compiled = statement.compile(connection.engine)
        values = compiled.construct_params({"_client": "shop", "_now": NOW, "_limit": 100})
        asked = tuple(values[name] for name in compiled.positiontup)
        steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", asked).fetchall()
    stores.close()
    plan = " ".join(step[3] for step in steps)
    assert "SEARCH notifications USING INDEX ix_notifications_unheard (client_id=? AND store_id=?)" in plan
