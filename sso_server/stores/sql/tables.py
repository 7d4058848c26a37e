"""Every table. All instants are integer milliseconds UTC; lists and maps are JSON text: both engines hold the same.

Alembic owns the schema on disk (migrations/); tests/stores/sql hold the two equal.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

# Compared byte by byte on both engines: PostgreSQL's own collations skip dashes when they sort.
KEY: TypeEngine[str] = String().with_variant(String(collation="C"), "postgresql")
# SQLite numbers rows by itself only in a column that says INTEGER PRIMARY KEY.
SERIAL: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")


def _key(name: str, *, primary: bool = False) -> Column[str]:
    return Column(name, KEY, primary_key=primary, nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _ms(name: str, *, optional: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=optional)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _serial(name: str) -> Column[int]:
    return Column(name, SERIAL, primary_key=True, autoincrement=True)


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index over the few rows that matter. Both engines use it only where the query repeats the condition."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


sessions = Table(
    "sessions",
    metadata,
    _key("sid", primary=True),
    _key("user_id"),
    Column("user_version", Integer, nullable=False),
    _key("browser_hash"),
    _key("cookie_hash"),
    Column("previous_cookie_hash", KEY),
    _ms("previous_cookie_until"),
    _ms("auth_time"),
    _text("amr"),
    _ms("created_at"),
    _ms("last_active_at"),
    _ms("idle_allowance_ms"),
    _ms("absolute_until"),
    _flag("remembered"),
    _text("user_agent"),
    _text("address"),
    _flag("idle_off"),
    _ms("due_at"),
    _ms("ended_at", optional=True),
    Column("end_reason", Text),
    # client -> until when its API may meet JWT access tokens of this session (ms)
    Column("audiences", Text, nullable=False, server_default="{}"),
    Index("ix_sessions_user_id", "user_id"),
    Index("ix_sessions_cookie_hash", "cookie_hash", unique=True),
    _partial("ix_sessions_previous_cookie_hash", "previous_cookie_hash", where="previous_cookie_hash IS NOT NULL"),
    # One live session per browser: the database itself refuses a second.
    _partial("ix_sessions_browser_hash", "browser_hash", where="ended_at IS NULL", unique=True),
    _partial("ix_sessions_due_at", "due_at", where="ended_at IS NULL"),
    _partial("ix_sessions_ended_at", "ended_at", where="ended_at IS NOT NULL"),
)

participants = Table(
    "participants",
    metadata,
    _serial("number"),  # the order of registration
    _key("sid"),
    _key("client_id"),
    _key("store_id"),
    _text("kind"),
    _text("logout_uri"),
    _ms("registered_at"),
    _ms("local_until"),
    _flag("reports"),
    UniqueConstraint("sid", "client_id", "store_id"),
)

notifications = Table(
    "notifications",
    metadata,
    _serial("number"),
    _key("sid"),
    _key("client_id"),
    _key("store_id"),
    _text("kind"),
    _text("logout_uri"),
    _key("user_id"),
    _text("reason"),
    _ms("ended_at"),
    _ms("local_until"),
    _key("state"),
    Column("attempt", Integer, nullable=False),
    _ms("next_attempt_at", optional=True),
    _text("claimed_by"),
    _ms("claimed_until"),
    _ms("final_at", optional=True),
    Column("last_status", Integer),
    _text("last_error"),
    Column("bulk", Boolean, nullable=False, server_default=false()),
    Column("registered_at", BigInteger, nullable=False, server_default="0"),
    Column("sends", Integer, nullable=False, server_default="0"),
    # Two columns that only the indexes need: when a worker may take the row (the next attempt, or the end of a claim),
    # and since when a final row waits for the audit.
    _ms("due_at", optional=True),
    _ms("to_archive_at", optional=True),
    UniqueConstraint("sid", "client_id", "store_id"),
    _partial("ix_notifications_due_at", "bulk", "due_at", where="due_at IS NOT NULL"),
    _partial("ix_notifications_to_archive_at", "to_archive_at", where="to_archive_at IS NOT NULL"),
    _partial("ix_notifications_unheard", "client_id", "store_id", where="state <> 'acknowledged'"),
)

site_stores = Table(
    "site_stores",
    metadata,
    _key("client_id", primary=True),
    _key("store_id", primary=True),
    _ms("last_check_in_at"),
    Column("lease_s", Integer, nullable=False),
    Column("grace_s", Integer, nullable=False),
    Column("lapsed_from", BigInteger, nullable=False, server_default="0"),
    Column("lapsed_to", BigInteger, nullable=False, server_default="0"),
)

tickets = Table(
    "tickets",
    metadata,
    _key("ticket_hash", primary=True),
    _text("kind"),
    _key("sid"),
    _key("client_id"),
    _key("user_id"),
    _text("redirect_uri"),
    _text("code_challenge"),
    _text("nonce"),
    _text("scope"),
    _ms("auth_time"),
    _text("amr"),
    _ms("issued_at"),
    _ms("expires_at"),
    _flag("refreshable"),
    _flag("offline"),
    _ms("spent_at", optional=True),
    Index("ix_tickets_expires_at", "expires_at"),
)

grants = Table(
    "grants",
    metadata,
    _key("grant_id", primary=True),
    _key("sid"),
    _key("client_id"),
    _key("user_id"),
    _text("scope"),
    _ms("auth_time"),
    _text("amr"),
    _flag("offline"),
    _ms("created_at"),
    _ms("revoked_at", optional=True),
    _ms("keep_until"),
    _key("heir"),
    Column("heir_step", Integer, nullable=False),
    Index("ix_grants_user_id", "user_id"),
    Index("ix_grants_keep_until", "keep_until"),
)

tokens = Table(
    "tokens",
    metadata,
    _key("token_hash", primary=True),
    _key("grant_id"),
    _text("kind"),
    Column("step", Integer, nullable=False),
    _ms("issued_at"),
    _ms("expires_at"),
    _ms("spent_at", optional=True),
    Column("audience", Text, nullable=False, server_default="[]"),
    # Of JWTs: their name, until when a revoked one must be refused, whether it carries the `sid` and dies with it.
    Column("jti", KEY, nullable=False, server_default=""),
    Column("deny_until", BigInteger, nullable=False, server_default="0"),
    Column("bound", Boolean, nullable=False, server_default=false()),
    Index("ix_tokens_expires_at", "expires_at"),
    _partial("ix_tokens_grant_id", "grant_id", where="jti <> ''"),
)

# What the APIs of a client must refuse, a `sid` or a `jti` each, in the order of the store's clock (microseconds).
denied = Table(
    "denied",
    metadata,
    _serial("number"),
    _key("client_id"),
    _key("name"),
    _ms("until"),
    _ms("place"),
    Index("ix_denied_client_id", "client_id", "place"),
    Index("ix_denied_until", "until"),
)

guesses = Table(
    "guesses",
    metadata,
    _key("key", primary=True),
    Column("attempts", Integer, nullable=False),
    _ms("last_at"),
    _ms("forget_at"),
    Index("ix_guesses_forget_at", "forget_at"),
)

users = Table(
    "users",
    metadata,
    _key("user_id", primary=True),
    _text("username"),
    _key("folded"),
    _text("password_hash"),
    _ms("created_at"),
    _text("name"),
    _text("email"),
    _flag("email_verified"),
    _text("groups"),
    _flag("is_admin"),
    _text("locale"),
    Column("version", Integer, nullable=False),
    _ms("disabled_at", optional=True),
    Index("ix_users_folded", "folded", unique=True),
)

end_orders = Table(
    "end_orders",
    metadata,
    _key("order_id", primary=True),
    _text("reason"),
    _ms("created_at"),
    _key("user_id"),
    Column("user_version", Integer, nullable=False),
    _key("client_id"),
    _key("keep_sid"),
    _flag("revoke_grants"),
    _ms("finished_at", optional=True),
    Column("ended", Integer, nullable=False),
    _partial("ix_end_orders_unfinished", "created_at", where="finished_at IS NULL"),
)

# Each time that the store of sessions was found to have gone back in time, and what was done about it.
restorations = Table(
    "restorations",
    metadata,
    _serial("number"),  # the order in which they were found
    _key("restoration_id"),
    _ms("detected_at"),
    _text("cause"),
    _ms("since"),
    _flag("end_all"),
    _text("incarnation"),
    _ms("finished_at", optional=True),
    Column("ended", Integer, nullable=False),
    _text("answers"),
    UniqueConstraint("restoration_id"),
)

# After the store went back in time: for whose APIs any session may have JWT access tokens, and until when they live.
forgotten = Table("forgotten", metadata, _key("client_id", primary=True), _ms("until"))

clients = Table(
    "clients",
    metadata,
    _key("client_id", primary=True),
    _text("name"),
    _ms("created_at"),
    _text("kind"),
    _text("secrets"),
    _flag("public"),
    _text("base_url"),
    _text("redirect_uris"),
    _text("post_logout_redirect_uris"),
    _text("backchannel_logout_uri"),
    _text("id_token_alg"),
    _text("scopes"),
    _flag("refresh_tokens"),
    Column("lease_s", Integer, nullable=False),
    Column("grace_s", Integer, nullable=False),
    Column("local_session_max_s", Integer),
    _flag("allow_private"),
    Column("delivery", Text, nullable=False, server_default="push"),
    Column("access_token", Text, nullable=False, server_default="opaque"),
    Column("audience", Text, nullable=False, server_default="[]"),
)

audit = Table(
    "audit",
    metadata,
    _serial("number"),
    _ms("at"),
    _key("kind"),
    _key("user_id"),
    _key("sid"),
    _key("client_id"),
    _text("actor"),
    _text("data"),
    Index("ix_audit_at", "at"),
    Index("ix_audit_sid", "sid"),
    Index("ix_audit_user_id", "user_id", "at"),
)

one_time = Table("one_time", metadata, _key("key", primary=True), _ms("expires_at"))

signing_keys = Table(
    "signing_keys",
    metadata,
    _key("kid", primary=True),
    _text("alg"),
    _text("private_sealed"),
    _text("public_jwk"),
    _ms("created_at"),
    _ms("active_from"),
    _ms("retired_at", optional=True),
    _ms("expires_at", optional=True),
)

# Single numbers: the generation of the clients, the moment of the last trial write, the last heartbeat of the delivery
# process.
marks = Table("marks", metadata, _key("name", primary=True), Column("value", BigInteger, nullable=False))
