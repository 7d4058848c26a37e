"""Tables of the session side, and the metadata of all; those of accounts and clients are in account_tables.py.

All instants are integer milliseconds UTC; lists and maps are JSON text: both engines hold the same.

Alembic owns the schema on disk (migrations/); tests/stores/sql hold the two equal.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text, UniqueConstraint, false

from sso_server.stores.sql.columns import KEY, flag, key, long_text, ms, partial, serial

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

sessions = Table(
    "sessions",
    metadata,
    key("sid", primary=True),
    key("user_id"),
    Column("user_version", Integer, nullable=False),
    key("browser_hash"),
    key("cookie_hash"),
    Column("previous_cookie_hash", KEY),
    ms("previous_cookie_until"),
    ms("auth_time"),
    long_text("amr"),
    ms("created_at"),
    ms("last_active_at"),
    ms("idle_allowance_ms"),
    ms("absolute_until"),
    flag("remembered"),
    long_text("user_agent"),
    long_text("address"),
    flag("idle_off"),
    ms("due_at"),
    ms("ended_at", optional=True),
    Column("end_reason", Text),
    # client -> until when its API may meet JWT access tokens of this session (ms)
    Column("audiences", Text, nullable=False, server_default="{}"),
    Index("ix_sessions_user_id", "user_id"),
    Index("ix_sessions_cookie_hash", "cookie_hash", unique=True),
    partial("ix_sessions_previous_cookie_hash", "previous_cookie_hash", where="previous_cookie_hash IS NOT NULL"),
    # One live session per browser: the database itself refuses a second.
    partial("ix_sessions_browser_hash", "browser_hash", where="ended_at IS NULL", unique=True),
    partial("ix_sessions_due_at", "due_at", where="ended_at IS NULL"),
    partial("ix_sessions_ended_at", "ended_at", where="ended_at IS NOT NULL"),
)

participants = Table(
    "participants",
    metadata,
    serial("number"),  # the order of registration
    key("sid"),
    key("client_id"),
    key("store_id"),
    long_text("kind"),
    long_text("logout_uri"),
    ms("registered_at"),
    ms("local_until"),
    flag("reports"),
    UniqueConstraint("sid", "client_id", "store_id"),
)

notifications = Table(
    "notifications",
    metadata,
    serial("number"),
    key("sid"),
    key("client_id"),
    key("store_id"),
    long_text("kind"),
    long_text("logout_uri"),
    key("user_id"),
    long_text("reason"),
    ms("ended_at"),
    ms("local_until"),
    key("state"),
    Column("attempt", Integer, nullable=False),
    ms("next_attempt_at", optional=True),
    long_text("claimed_by"),
    ms("claimed_until"),
    ms("final_at", optional=True),
    Column("last_status", Integer),
    long_text("last_error"),
    Column("bulk", Boolean, nullable=False, server_default=false()),
    Column("registered_at", BigInteger, nullable=False, server_default="0"),
    Column("sends", Integer, nullable=False, server_default="0"),
    # Two columns that only the indexes need: when a worker may take the row (the next attempt, or the end of a claim),
    # and since when a final row waits for the audit.
    ms("due_at", optional=True),
    ms("to_archive_at", optional=True),
    UniqueConstraint("sid", "client_id", "store_id"),
    partial("ix_notifications_due_at", "bulk", "due_at", where="due_at IS NOT NULL"),
    partial("ix_notifications_to_archive_at", "to_archive_at", where="to_archive_at IS NOT NULL"),
    partial("ix_notifications_unheard", "client_id", "store_id", where="state <> 'acknowledged'"),
)

site_stores = Table(
    "site_stores",
    metadata,
    key("client_id", primary=True),
    key("store_id", primary=True),
    ms("last_check_in_at"),
    Column("lease_s", Integer, nullable=False),
    Column("grace_s", Integer, nullable=False),
    Column("lapsed_from", BigInteger, nullable=False, server_default="0"),
    Column("lapsed_to", BigInteger, nullable=False, server_default="0"),
)

tickets = Table(
    "tickets",
    metadata,
    key("ticket_hash", primary=True),
    long_text("kind"),
    key("sid"),
    key("client_id"),
    key("user_id"),
    long_text("redirect_uri"),
    long_text("code_challenge"),
    long_text("nonce"),
    long_text("scope"),
    ms("auth_time"),
    long_text("amr"),
    ms("issued_at"),
    ms("expires_at"),
    flag("refreshable"),
    flag("offline"),
    ms("spent_at", optional=True),
    Column("details", Text, nullable=False, server_default=""),
    Index("ix_tickets_expires_at", "expires_at"),
)

grants = Table(
    "grants",
    metadata,
    key("grant_id", primary=True),
    key("sid"),
    key("client_id"),
    key("user_id"),
    long_text("scope"),
    ms("auth_time"),
    long_text("amr"),
    flag("offline"),
    ms("created_at"),
    ms("revoked_at", optional=True),
    ms("keep_until"),
    key("heir"),
    Column("heir_step", Integer, nullable=False),
    Column("details", Text, nullable=False, server_default=""),
    Index("ix_grants_user_id", "user_id"),
    Index("ix_grants_keep_until", "keep_until"),
)

tokens = Table(
    "tokens",
    metadata,
    key("token_hash", primary=True),
    key("grant_id"),
    long_text("kind"),
    Column("step", Integer, nullable=False),
    ms("issued_at"),
    ms("expires_at"),
    ms("spent_at", optional=True),
    Column("audience", Text, nullable=False, server_default="[]"),
    # Of JWTs: their name, until when a revoked one must be refused, whether it carries the `sid` and dies with it.
    Column("jti", KEY, nullable=False, server_default=""),
    Column("deny_until", BigInteger, nullable=False, server_default="0"),
    Column("bound", Boolean, nullable=False, server_default=false()),
    Column("details", Text, nullable=False, server_default=""),
    Index("ix_tokens_expires_at", "expires_at"),
    partial("ix_tokens_grant_id", "grant_id", where="jti <> ''"),
)

# What the APIs of a client must refuse, a `sid` or a `jti` each, in the order of the store's clock (microseconds).
denied = Table(
    "denied",
    metadata,
    serial("number"),
    key("client_id"),
    key("name"),
    ms("until"),
    ms("place"),
    Index("ix_denied_client_id", "client_id", "place"),
    Index("ix_denied_until", "until"),
)

# Small texts that live for minutes: pushed requests, device codes, proofs that were seen.
slips = Table(
    "slips",
    metadata,
    key("name", primary=True),
    long_text("content"),
    ms("expires_at"),
    Index("ix_slips_expires_at", "expires_at"),
)

guesses = Table(
    "guesses",
    metadata,
    key("key", primary=True),
    Column("attempts", Integer, nullable=False),
    ms("last_at"),
    ms("forget_at"),
    ms("previous_at", optional=True),
    Index("ix_guesses_forget_at", "forget_at"),
)

# After the store went back in time: for whose APIs any session may have JWT access tokens, and until when they live.
forgotten = Table("forgotten", metadata, key("client_id", primary=True), ms("until"))
