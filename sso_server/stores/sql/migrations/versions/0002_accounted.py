"""Accounted sign-out: clients that poll, notifications that nobody waits for, times when the store went back."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("clients", sa.Column("delivery", sa.Text(), server_default="push", nullable=False))
    op.add_column("notifications", sa.Column("bulk", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("notifications", sa.Column("registered_at", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("notifications", sa.Column("sends", sa.Integer(), server_default="0", nullable=False))
    # Until now every claim was taken for a call; for rows of before nothing better is known.
    op.execute("UPDATE notifications SET sends = attempt")
    op.add_column("site_stores", sa.Column("lapsed_from", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("site_stores", sa.Column("lapsed_to", sa.BigInteger(), server_default="0", nullable=False))
    op.drop_index("ix_notifications_due_at", table_name="notifications")
    op.create_index(
        "ix_notifications_due_at",
        "notifications",
        ["bulk", "due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_table(
        "restorations",
        sa.Column("number", SERIAL, autoincrement=True, nullable=False),
        sa.Column("restoration_id", KEY, nullable=False),
        sa.Column("detected_at", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("end_all", sa.Boolean(), nullable=False),
        sa.Column("incarnation", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.Integer(), nullable=False),
        sa.Column("answers", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_restorations")),
        sa.UniqueConstraint("restoration_id", name=op.f("uq_restorations_restoration_id")),
    )


def downgrade() -> None:
    op.drop_table("restorations")
    op.drop_index("ix_notifications_due_at", table_name="notifications")
    op.create_index(
        "ix_notifications_due_at",
        "notifications",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.drop_column("site_stores", "lapsed_to")
    op.drop_column("site_stores", "lapsed_from")
    op.drop_column("notifications", "sends")
    op.drop_column("notifications", "registered_at")
    op.drop_column("notifications", "bulk")
    op.drop_column("clients", "delivery")
