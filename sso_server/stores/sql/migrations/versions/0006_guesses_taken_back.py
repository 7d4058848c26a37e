"""A guess that is taken back takes its moment along: when the one before it was."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nothing is known of what was counted before, or by a node of the version before.
    op.add_column("guesses", sa.Column("previous_at", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("guesses", "previous_at")
