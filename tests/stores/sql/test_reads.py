"""Connections for reading, and what becomes of one that is still in use when all are given back."""

from pathlib import Path

import sqlalchemy as sa

from sso_server.stores.sql.sqlite import Reads


def test_a_connection_that_is_still_read_from_when_the_store_is_closed_is_given_back_afterwards(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'file'}")
    reads = Reads(engine)
    connection = reads.take()
    reads.close()
    connection.exec_driver_sql("select 1")
    assert not connection.closed
    reads.give_back(connection)
    assert connection.closed
    engine.dispose()
