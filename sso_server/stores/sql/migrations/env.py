"""How Alembic runs a migration: on the connection, and in the transaction, that migrate.py has opened."""

from alembic import context

from sso_server.stores.sql.tables import metadata

connection = context.config.attributes["connection"]
# SQLite can't alter most of a table: Alembic then copies it (batch mode).
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
context.run_migrations()
