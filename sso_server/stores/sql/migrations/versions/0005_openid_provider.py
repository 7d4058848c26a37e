"""OpenID Provider: clients' metadata, further claims of people, consents, slips, initial access tokens."""

import sqlalchemy as sa
from alembic import op

from sso_server.stores.sql.columns import KEY

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clients", sa.Column("metadata", sa.Text(), server_default="{}", nullable=False))
    # Until now a confidential client could go without PKCE if it sent a nonce: an upgrade stops none that does.
    # As `ClientMetadata.to_json` writes it: rows are compared as texts.
    relaxed = sa.text(
        "UPDATE clients SET metadata = :metadata WHERE kind = 'oidc' AND NOT public AND base_url = ''"
    ).bindparams(metadata='{"require_pkce":false}')
    op.execute(relaxed)
    op.add_column("users", sa.Column("profile", sa.Text(), server_default="{}", nullable=False))
    op.add_column("users", sa.Column("updated_at", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("tokens", sa.Column("details", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "slips",
        sa.Column("name", KEY, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_slips"),
    )
    op.create_index("ix_slips_expires_at", "slips", ["expires_at"])
    op.create_table(
        "consents",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("claims", sa.Text(), nullable=False),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "client_id", name="pk_consents"),
    )
    op.create_index("ix_consents_client_id", "consents", ["client_id"])
    op.create_table(
        "registration_tokens",
        sa.Column("token_hash", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("uses_left", sa.Integer()),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_registration_tokens"),
        sa.UniqueConstraint("name", name="uq_registration_tokens_name"),
    )
    op.create_table(
        "lasting",
        sa.Column("name", KEY, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lasting"),
    )


def downgrade() -> None:
    for table in ("lasting", "registration_tokens", "consents", "slips"):
        op.drop_table(table)
    op.drop_column("tokens", "details")
    op.drop_column("users", "updated_at")
    op.drop_column("users", "profile")
    op.drop_column("clients", "metadata")
