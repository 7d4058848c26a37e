"""The first schema: accounts, clients, keys, audit; sessions, tickets, tokens, the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("number", SERIAL, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("sid", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)
    op.create_index("ix_audit_sid", "audit", ["sid"], unique=False)
    op.create_index("ix_audit_user_id", "audit", ["user_id", "at"], unique=False)
    op.create_table(
        "clients",
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("redirect_uris", sa.Text(), nullable=False),
        sa.Column("post_logout_redirect_uris", sa.Text(), nullable=False),
        sa.Column("backchannel_logout_uri", sa.Text(), nullable=False),
        sa.Column("id_token_alg", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("refresh_tokens", sa.Boolean(), nullable=False),
        sa.Column("lease_s", sa.Integer(), nullable=False),
        sa.Column("grace_s", sa.Integer(), nullable=False),
        sa.Column("local_session_max_s", sa.Integer(), nullable=True),
        sa.Column("allow_private", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_clients")),
    )
    op.create_table(
        "end_orders",
        sa.Column("order_id", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("user_version", sa.Integer(), nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("keep_sid", KEY, nullable=False),
        sa.Column("revoke_grants", sa.Boolean(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_end_orders")),
    )
    op.create_index(
        "ix_end_orders_unfinished",
        "end_orders",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "grants",
        sa.Column("grant_id", KEY, nullable=False),
        sa.Column("sid", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("auth_time", sa.BigInteger(), nullable=False),
        sa.Column("amr", sa.Text(), nullable=False),
        sa.Column("offline", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("keep_until", sa.BigInteger(), nullable=False),
        sa.Column("heir", KEY, nullable=False),
        sa.Column("heir_step", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_grants")),
    )
    op.create_index("ix_grants_keep_until", "grants", ["keep_until"], unique=False)
    op.create_index("ix_grants_user_id", "grants", ["user_id"], unique=False)
    op.create_table(
        "guesses",
        sa.Column("key", KEY, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("forget_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_guesses")),
    )
    op.create_index("ix_guesses_forget_at", "guesses", ["forget_at"], unique=False)
    op.create_table(
        "marks",
        sa.Column("name", KEY, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_marks")),
    )
    op.create_table(
        "notifications",
        sa.Column("number", SERIAL, autoincrement=True, nullable=False),
        sa.Column("sid", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("store_id", KEY, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("logout_uri", sa.Text(), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("local_until", sa.BigInteger(), nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=False),
        sa.Column("final_at", sa.BigInteger(), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("to_archive_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_notifications")),
        sa.UniqueConstraint("sid", "client_id", "store_id", name=op.f("uq_notifications_sid")),
    )
    op.create_index(
        "ix_notifications_due_at",
        "notifications",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_notifications_to_archive_at",
        "notifications",
        ["to_archive_at"],
        unique=False,
        sqlite_where=sa.text("to_archive_at IS NOT NULL"),
        postgresql_where=sa.text("to_archive_at IS NOT NULL"),
    )
    op.create_index(
        "ix_notifications_unheard",
        "notifications",
        ["client_id", "store_id"],
        unique=False,
        sqlite_where=sa.text("state <> 'acknowledged'"),
        postgresql_where=sa.text("state <> 'acknowledged'"),
    )
    op.create_table(
        "one_time",
        sa.Column("key", KEY, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_one_time")),
    )
    op.create_table(
        "participants",
        sa.Column("number", SERIAL, autoincrement=True, nullable=False),
        sa.Column("sid", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("store_id", KEY, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("logout_uri", sa.Text(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("local_until", sa.BigInteger(), nullable=False),
        sa.Column("reports", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_participants")),
        sa.UniqueConstraint("sid", "client_id", "store_id", name=op.f("uq_participants_sid")),
    )
    op.create_table(
        "sessions",
        sa.Column("sid", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("user_version", sa.Integer(), nullable=False),
        sa.Column("browser_hash", KEY, nullable=False),
        sa.Column("cookie_hash", KEY, nullable=False),
        sa.Column("previous_cookie_hash", KEY, nullable=True),
        sa.Column("previous_cookie_until", sa.BigInteger(), nullable=False),
        sa.Column("auth_time", sa.BigInteger(), nullable=False),
        sa.Column("amr", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_active_at", sa.BigInteger(), nullable=False),
        sa.Column("idle_allowance_ms", sa.BigInteger(), nullable=False),
        sa.Column("absolute_until", sa.BigInteger(), nullable=False),
        sa.Column("remembered", sa.Boolean(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("idle_off", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("sid", name=op.f("pk_sessions")),
    )
    op.create_index(
        "ix_sessions_browser_hash",
        "sessions",
        ["browser_hash"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_sessions_cookie_hash", "sessions", ["cookie_hash"], unique=True)
    op.create_index(
        "ix_sessions_due_at",
        "sessions",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_sessions_ended_at",
        "sessions",
        ["ended_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_index(
        "ix_sessions_previous_cookie_hash",
        "sessions",
        ["previous_cookie_hash"],
        unique=False,
        sqlite_where=sa.text("previous_cookie_hash IS NOT NULL"),
        postgresql_where=sa.text("previous_cookie_hash IS NOT NULL"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"], unique=False)
    op.create_table(
        "signing_keys",
        sa.Column("kid", KEY, nullable=False),
        sa.Column("alg", sa.Text(), nullable=False),
        sa.Column("private_sealed", sa.Text(), nullable=False),
        sa.Column("public_jwk", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("active_from", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_keys")),
    )
    op.create_table(
        "site_stores",
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("store_id", KEY, nullable=False),
        sa.Column("last_check_in_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_s", sa.Integer(), nullable=False),
        sa.Column("grace_s", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "store_id", name=op.f("pk_site_stores")),
    )
    op.create_table(
        "tickets",
        sa.Column("ticket_hash", KEY, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sid", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("auth_time", sa.BigInteger(), nullable=False),
        sa.Column("amr", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("refreshable", sa.Boolean(), nullable=False),
        sa.Column("offline", sa.Boolean(), nullable=False),
        sa.Column("spent_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("ticket_hash", name=op.f("pk_tickets")),
    )
    op.create_index("ix_tickets_expires_at", "tickets", ["expires_at"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("token_hash", KEY, nullable=False),
        sa.Column("grant_id", KEY, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("spent_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_tokens")),
    )
    op.create_index("ix_tokens_expires_at", "tokens", ["expires_at"], unique=False)
    op.create_table(
        "users",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("folded", KEY, nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_verified", sa.Boolean(), nullable=False),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_users")),
    )
    op.create_index("ix_users_folded", "users", ["folded"], unique=True)


def downgrade() -> None:
    op.drop_table("users")
    op.drop_table("tokens")
    op.drop_table("tickets")
    op.drop_table("site_stores")
    op.drop_table("signing_keys")
    op.drop_table("sessions")
    op.drop_table("participants")
    op.drop_table("one_time")
    op.drop_table("notifications")
    op.drop_table("marks")
    op.drop_table("guesses")
    op.drop_table("grants")
    op.drop_table("end_orders")
    op.drop_table("clients")
    op.drop_table("audit")
