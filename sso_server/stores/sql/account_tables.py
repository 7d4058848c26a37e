"""Tables of the account side, which is always in SQL: people, clients, consents, keys, the audit. See tables.py."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, UniqueConstraint

from sso_server.stores.sql.columns import flag, key, long_text, ms, partial, serial
from sso_server.stores.sql.tables import metadata

users = Table(
    "users",
    metadata,
    key("user_id", primary=True),
    long_text("username"),
    key("folded"),
    long_text("password_hash"),
    ms("created_at"),
    long_text("name"),
    long_text("email"),
    flag("email_verified"),
    long_text("groups"),
    flag("is_admin"),
    long_text("locale"),
    Column("version", Integer, nullable=False),
    ms("disabled_at", optional=True),
    Column("profile", Text, nullable=False, server_default="{}"),
    Column("updated_at", BigInteger, nullable=False, server_default="0"),
    Index("ix_users_folded", "folded", unique=True),
)

end_orders = Table(
    "end_orders",
    metadata,
    key("order_id", primary=True),
    long_text("reason"),
    ms("created_at"),
    key("user_id"),
    Column("user_version", Integer, nullable=False),
    key("client_id"),
    key("keep_sid"),
    flag("revoke_grants"),
    ms("finished_at", optional=True),
    Column("ended", Integer, nullable=False),
    partial("ix_end_orders_unfinished", "created_at", where="finished_at IS NULL"),
)

# Each time that the store of sessions was found to have gone back in time, and what was done about it.
restorations = Table(
    "restorations",
    metadata,
    serial("number"),  # the order in which they were found
    key("restoration_id"),
    ms("detected_at"),
    long_text("cause"),
    ms("since"),
    flag("end_all"),
    long_text("incarnation"),
    ms("finished_at", optional=True),
    Column("ended", Integer, nullable=False),
    long_text("answers"),
    UniqueConstraint("restoration_id"),
)

clients = Table(
    "clients",
    metadata,
    key("client_id", primary=True),
    long_text("name"),
    ms("created_at"),
    long_text("kind"),
    long_text("secrets"),
    flag("public"),
    long_text("base_url"),
    long_text("redirect_uris"),
    long_text("post_logout_redirect_uris"),
    long_text("backchannel_logout_uri"),
    long_text("id_token_alg"),
    long_text("scopes"),
    flag("refresh_tokens"),
    Column("lease_s", Integer, nullable=False),
    Column("grace_s", Integer, nullable=False),
    Column("local_session_max_s", Integer),
    flag("allow_private"),
    Column("delivery", Text, nullable=False, server_default="push"),
    Column("access_token", Text, nullable=False, server_default="opaque"),
    Column("audience", Text, nullable=False, server_default="[]"),
    Column("cas_services", Text, nullable=False, server_default="[]"),
    Column("cas_proxy_callbacks", Text, nullable=False, server_default="[]"),
    Column("cas_attributes", Text, nullable=False, server_default="[]"),
    Column("metadata", Text, nullable=False, server_default="{}"),
)

# What people have agreed that a third party's client may see.
consents = Table(
    "consents",
    metadata,
    key("user_id", primary=True),
    key("client_id", primary=True),
    long_text("scope"),
    long_text("claims"),
    ms("granted_at"),
    ms("last_used_at"),
    Index("ix_consents_client_id", "client_id"),
)

# Initial access tokens (RFC 7591 section 3): who may register clients, as what, how often and until when.
registration_tokens = Table(
    "registration_tokens",
    metadata,
    key("token_hash", primary=True),
    key("name"),
    ms("created_at"),
    ms("expires_at", optional=True),
    Column("uses_left", Integer),
    long_text("policy"),
    UniqueConstraint("name"),
)

# Values that are made once and never change.
lasting = Table("lasting", metadata, key("name", primary=True), long_text("value"))

audit = Table(
    "audit",
    metadata,
    serial("number"),
    ms("at"),
    key("kind"),
    key("user_id"),
    key("sid"),
    key("client_id"),
    long_text("actor"),
    long_text("data"),
    Index("ix_audit_at", "at"),
    Index("ix_audit_sid", "sid"),
    Index("ix_audit_user_id", "user_id", "at"),
)

one_time = Table("one_time", metadata, key("key", primary=True), ms("expires_at"))

signing_keys = Table(
    "signing_keys",
    metadata,
    key("kid", primary=True),
    long_text("alg"),
    long_text("private_sealed"),
    long_text("public_jwk"),
    ms("created_at"),
    ms("active_from"),
    ms("retired_at", optional=True),
    ms("expires_at", optional=True),
)

# Single numbers: the generations of the clients and of the accounts, the moment of the last trial write, the last
# heartbeat of the delivery process.
marks = Table("marks", metadata, key("name", primary=True), Column("value", BigInteger, nullable=False))
