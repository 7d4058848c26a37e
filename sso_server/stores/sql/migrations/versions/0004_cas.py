"""CAS: registered services, and what a ticket and a grant carry for the front that issued them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_LISTS = ("cas_services", "cas_proxy_callbacks", "cas_attributes")


def upgrade() -> None:
    for name in _LISTS:
        op.add_column("clients", sa.Column(name, sa.Text(), server_default="[]", nullable=False))
    for table in ("tickets", "grants"):
        op.add_column(table, sa.Column("details", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    for table in ("grants", "tickets"):
        op.drop_column(table, "details")
    for name in reversed(_LISTS):
        op.drop_column("clients", name)
