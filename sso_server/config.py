"""Settings: environment variables with the prefix `SSO_`, each secret also as `SSO_..._FILE`. The only reader of the
environment.

All problems are reported at once, in words; an unknown `SSO_` name is reported with its nearest match.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from sso_server.core.clients import is_loopback_host
from sso_server.core.policy import SECOND, Policy

_SECRETS = ("secret_key", "database_url", "redis_url")
# Read by the SDK in a site; harmless in the environment of a centre on the same machine.
_OF_SITES = (
    "SSO_CLIENT_ID",
    "SSO_CLIENT_SECRET",
    "SSO_CLIENT_SECRET_FILE",
    "SSO_BASE_URL",
    "SSO_STORE",
    "SSO_SCOPES",
    "SSO_SESSION_MAX_AGE",
    "SSO_AFTER_LOGOUT",
    "SSO_ID_TOKEN_ALGS",
    "SSO_ENDPOINT_ORIGINS",
    "SSO_CA_FILE",
)


class ConfigError(Exception):
    """One or more settings are wrong; `problems` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(BaseSettings):
    """Every setting of the centre. Durations are whole seconds."""

    model_config = SettingsConfigDict(env_prefix="SSO_", extra="forbid", frozen=True, use_attribute_docstrings=True)

    issuer: str = "http://127.0.0.1:9000"
    """The centre's own address as browsers and sites see it. https everywhere but on loopback."""
    data_dir: Path = Path("lockstep-data")
    """Where the SQLite database, the secret key and the wake-up socket live. Made with mode 0700 when absent."""
    database_url: SecretStr = SecretStr("")
    """SQLAlchemy address of the database. Empty: SQLite in the data directory."""
    redis_url: SecretStr = SecretStr("")
    """`redis://` or `rediss://`. Empty: sessions, tickets and the ledger live in the database."""
    secret_key: SecretStr = SecretStr("")
    """One or more keys of at least 32 characters, separated by commas: the first writes, all read.
    Empty: made and kept in the data directory."""
    trusted_proxies: str = ""
    """Networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, e.g. `10.0.0.0/8,::1`. Empty: nobody's."""
    organization: str = "Lockstep"
    """The name that pages show."""
    support_contact: str = ""
    """Whom to ask for a forgotten password: a sentence, an address or a telephone number shown on the sign-in page."""
    ticket_life: int = Field(60, ge=5, le=600)
    """How long an authorization code can be redeemed."""
    access_token_life: int = Field(300, ge=10, le=3600)
    """Life of an access token."""
    offline_life: int = Field(30 * 86400, ge=60, le=366 * 86400)
    """Life of a refresh token with `offline_access`; without it the session decides."""
    session_idle: int = Field(8 * 3600, ge=1, le=90 * 86400)
    """A session ends after this long without activity anywhere."""
    session_absolute: int = Field(24 * 3600, ge=2, le=90 * 86400)
    """A session ends after this long whatever happens."""
    session_remembered: int = Field(30 * 86400, ge=60, le=366 * 86400)
    """The same when "keep me signed in" was ticked."""
    offer_remember: bool = True
    """Show "keep me signed in" on the sign-in page (never ticked beforehand)."""
    idle_without_reports: bool = False
    """End a session by idleness even if one of its sites can't report activity."""
    lease: int = Field(60, ge=1, le=3600)
    """N: how long a site's store may serve local sessions after a check-in. New clients get this value."""
    grace: int = Field(0, ge=0, le=86400)
    """What new clients get as grace: extra seconds when the centre can't be reached."""
    audit_days: int = Field(400, ge=1, le=3650)
    """How long the audit is kept."""
    hash_memory_kib: int = Field(19456, ge=8192, le=1048576)
    """argon2id memory per hash."""
    hash_limit: int = Field(2, ge=1, le=64)
    """How many passwords one process hashes at once."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """`auto`: text on a terminal, JSON lines elsewhere."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` hands in: it reads the environment itself, to report every problem at once."""
        return (init_settings,)

    @field_validator("issuer")
    @classmethod
    def _issuer_is_an_origin(cls, issuer: str) -> str:
        parts = urlsplit(issuer)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.query
            or parts.fragment
            or "@" in parts.netloc
        ):
            raise ValueError("is not a plain http(s) address")
        if parts.path not in ("", "/"):
            raise ValueError("may not have a path: give the centre a host name of its own")
        if parts.scheme == "http" and not is_loopback_host(parts.hostname):
            raise ValueError("must be https outside loopback")
        return issuer.rstrip("/")

    @field_validator("secret_key")
    @classmethod
    def _keys_are_long(cls, keys: SecretStr) -> SecretStr:
        for key in filter(None, (k.strip() for k in keys.get_secret_value().split(","))):
            if len(key) < 32:
                raise ValueError("has a key of less than 32 characters")
        return keys

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, text: str) -> str:
        for network in filter(None, (n.strip() for n in text.split(","))):
            ipaddress.ip_network(network, strict=False)
        return text

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, url: SecretStr) -> SecretStr:
        scheme = url.get_secret_value().split("://")[0]
        if scheme in ("redis+sentinel", "redis+cluster"):
            raise ValueError(f"{scheme}:// is not supported by this version; use redis:// or rediss://")
        if scheme not in ("", "redis", "rediss"):
            raise ValueError("must begin with redis:// or rediss://")
        return url

    @model_validator(mode="after")
    def _times_fit(self) -> Settings:
        if self.session_absolute < self.session_idle:
            raise ValueError("SSO_SESSION_ABSOLUTE is shorter than SSO_SESSION_IDLE")
        return self

    @property
    def is_https(self) -> bool:
        """Cookies are Secure and carry the `__Host-` prefix."""
        return self.issuer.startswith("https://")

    @property
    def sql_url(self) -> str:
        """The database's address."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.data_dir.absolute() / 'lockstep.sqlite3'}"

    @property
    def proxies(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """The trusted networks."""
        return tuple(
            ipaddress.ip_network(n.strip(), strict=False) for n in self.trusted_proxies.split(",") if n.strip()
        )

    def policy(self) -> Policy:
        """The core's view of the lifetimes."""
        return Policy(
            issuer=self.issuer,
            ticket_ms=self.ticket_life * SECOND,
            access_token_ms=self.access_token_life * SECOND,
            offline_ms=self.offline_life * SECOND,
            idle_ms=self.session_idle * SECOND,
            absolute_ms=self.session_absolute * SECOND,
            remembered_ms=self.session_remembered * SECOND,
            lease_s=self.lease,
            grace_s=self.grace,
            idle_without_reports=self.idle_without_reports,
        )


def load(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings from the environment, `overrides` (by field name) first. Raises ConfigError with all problems."""
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    values: dict[str, Any] = {}
    known = {f"SSO_{name.upper()}": name for name in Settings.model_fields}
    files = {f"SSO_{name.upper()}_FILE": name for name in _SECRETS}
    for variable in sorted(v for v in environ if v.startswith("SSO_")):
        if variable in known:
            values[known[variable]] = environ[variable]
        elif variable in files:
            try:
                values.setdefault(files[variable], Path(environ[variable]).read_text(encoding="utf-8").strip())
            except OSError as error:
                problems.append(f"{variable}: cannot read {environ[variable]}: {error.strerror}")
        elif variable not in _OF_SITES:
            near = difflib.get_close_matches(variable, [*known, *files], n=1)
            problems.append(f"{variable}: there is no such setting" + (f"; did you mean {near[0]}?" if near else ""))
    values.update(overrides)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        for item in error.errors():
            name = ".".join(str(part) for part in item["loc"])
            text = item["msg"].removeprefix("Value error, ")
            problems.append(f"SSO_{name.upper()}: {text}" if name else text)
    if problems:
        raise ConfigError(problems)
    return settings


def sources(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variable that each setting comes from, by field name; one that isn't in it has its default."""
    environ = os.environ if environ is None else environ
    files = {name: f"SSO_{name.upper()}_FILE" for name in _SECRETS}
    found = {name: variable for name, variable in files.items() if variable in environ}
    return found | {n: f"SSO_{n.upper()}" for n in Settings.model_fields if f"SSO_{n.upper()}" in environ}


def child_environment(**variables: str) -> dict[str, str]:
    """The environment of a process that we start with settings of its own: ours without any `SSO_`, and these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SSO_")} | variables
