"""Tokens for APIs: whom an access token is for, JWTs by their `jti`, and the feed of what APIs must refuse."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("clients", sa.Column("access_token", sa.Text(), server_default="opaque", nullable=False))
    op.add_column("clients", sa.Column("audience", sa.Text(), server_default="[]", nullable=False))
    op.add_column("sessions", sa.Column("audiences", sa.Text(), server_default="{}", nullable=False))
    op.add_column("tokens", sa.Column("audience", sa.Text(), server_default="[]", nullable=False))
    op.add_column("tokens", sa.Column("jti", KEY, server_default="", nullable=False))
    op.add_column("tokens", sa.Column("deny_until", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("tokens", sa.Column("bound", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(
        "ix_tokens_grant_id",
        "tokens",
        ["grant_id"],
        unique=False,
        sqlite_where=sa.text("jti <> ''"),
        postgresql_where=sa.text("jti <> ''"),
    )
    op.create_table(
        "denied",
        sa.Column("number", SERIAL, autoincrement=True, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_denied")),
    )
    op.create_index("ix_denied_client_id", "denied", ["client_id", "place"], unique=False)
    op.create_index("ix_denied_until", "denied", ["until"], unique=False)
    op.create_table(
        "forgotten",
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_forgotten")),
    )


def downgrade() -> None:
    op.drop_table("forgotten")
    op.drop_index("ix_denied_until", table_name="denied")
    op.drop_index("ix_denied_client_id", table_name="denied")
    op.drop_table("denied")
    op.drop_index("ix_tokens_grant_id", table_name="tokens")
    op.drop_column("tokens", "bound")
    op.drop_column("tokens", "deny_until")
    op.drop_column("tokens", "jti")
    op.drop_column("tokens", "audience")
    op.drop_column("sessions", "audiences")
    op.drop_column("clients", "audience")
    op.drop_column("clients", "access_token")
