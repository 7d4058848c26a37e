"""Settings: environment variables with the prefix `SSO_`, each secret also as `SSO_..._FILE`.

All problems are reported at once, in words; an unknown `SSO_` name is reported with its nearest match.
"""

from __future__ import annotations

import difflib
import importlib.util
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_type_hints
from urllib.parse import urlsplit

from sso_server.core.policy import SECOND, Policy
from sso_server.core.uris import is_loopback_host
from sso_server.environment import environment_with
from sso_server.readings import Secret, read, whole

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
_SECRETS = ("secret_key", "database_url", "redis_url")
_REDIS_SCHEMES = (
    "redis://",
    "rediss://",
    "redis+sentinel://",
    "rediss+sentinel://",
    "redis+cluster://",
    "rediss+cluster://",
    "unix://",
)
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
    "SSO_AUDIENCE",
    "SSO_PROTOCOL",
    "SSO_CAS_URL",
)
_NO_SECRET = Secret("")


class ConfigError(Exception):
    """One or more settings are wrong; `problems` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of the centre. Durations are whole seconds. Raises ConfigError."""

    issuer: str = "http://127.0.0.1:9000"
    """The centre's own address as browsers and sites see it. https everywhere but on loopback."""
    data_dir: Path = Path("lockstep-data")
    """Where the SQLite database, the secret key and the wake-up socket live. Made with mode 0700 when absent."""
    database_url: Secret = _NO_SECRET
    """`postgresql://user:password@host:port/name` (docs/postgresql.md) or `sqlite:////path`.
    Empty: SQLite in the data directory. PostgreSQL needs `SSO_SECRET_KEY`."""
    database_connections: int = whole(10, ge=2, le=500)
    """How many connections one process opens to PostgreSQL at most: each web worker, and the delivery process."""
    redis_url: Secret = _NO_SECRET
    """One server (`redis://`), a service under Sentinel (`redis+sentinel://`) or a cluster (`redis+cluster://`), with
    `rediss` over TLS: see [redis.md](redis.md#addresses). Empty: sessions, tickets and the ledger live in the
    database."""
    redis_replicas: int = whole(0, ge=0, le=10)
    """How many replicas of a Redis must have confirmed a change before it is answered; fewer, and the answer is 503.
    See [redis.md](redis.md#what-your-redis-needs)."""
    secret_key: Secret = _NO_SECRET
    """One or more keys of at least 32 characters, separated by commas: the first writes, all read.
    Empty: made and kept in the data directory."""
    trusted_proxies: str = ""
    """Networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, e.g. `10.0.0.0/8,::1`. Empty: nobody's."""
    metrics_from: str = ""
    """Networks that may read `/metrics`, e.g. `10.0.0.0/8`; this machine always may, what comes through a proxy never.
    Empty: nobody else."""
    organization: str = "Lockstep"
    """The name that pages show."""
    support_contact: str = ""
    """Whom to ask for a forgotten password: a sentence, an address or a telephone number shown on the sign-in page."""
    ticket_life: int = whole(60, ge=5, le=600)
    """How long an authorization code can be redeemed, a CAS ticket validated."""
    access_token_life: int = whole(300, ge=10, le=3600)
    """Life of an access token."""
    offline_life: int = whole(30 * 86400, ge=60, le=366 * 86400)
    """Life of a refresh token with `offline_access`; without it the session decides."""
    session_idle: int = whole(8 * 3600, ge=1, le=90 * 86400)
    """A session ends after this long without activity anywhere."""
    session_absolute: int = whole(24 * 3600, ge=2, le=90 * 86400)
    """A session ends after this long whatever happens."""
    session_remembered: int = whole(30 * 86400, ge=60, le=366 * 86400)
    """The same when "keep me signed in" was ticked."""
    offer_remember: bool = True
    """Show "keep me signed in" on the sign-in page (never ticked beforehand)."""
    idle_without_reports: bool = False
    """End a session by idleness even if one of its sites can't report activity."""
    lease: int = whole(60, ge=1, le=3600)
    """N: how long a site's store may serve local sessions after a check-in. New clients get it, 5 at least."""
    grace: int = whole(0, ge=0, le=86400)
    """What new clients get as grace: extra seconds when the centre can't be reached."""
    audit_days: int = whole(400, ge=1, le=3650)
    """How long the audit is kept."""
    require_pushed_requests: bool = False
    """Every site has to push its authorization requests to `/par` first (RFC 9126), which sites with our SDK don't do.
    Else those that are registered with `require_pushed_authorization_requests`, or held to FAPI 2.0."""
    frontchannel_logout: bool = False
    """At a sign-out have the browser load the pages that sites registered for it (OpenID Connect Front-Channel Logout).
    Never the only way to tell a site: see [frontchannel.md](frontchannel.md)."""
    registration: Literal["token", "open", "off"] = "token"
    """Who may register clients at `/register` ([registration.md](registration.md)): `token`, who has an initial access
    token (`sso registration add`); `open`, everybody; `off`, nobody."""
    session_management: bool = False
    """Let sites ask a frame of ours whether the person is still signed in (OpenID Connect Session Management), by a
    cookie that most browsers hide from frames: see [frontchannel.md](frontchannel.md)."""
    key_rotation_days: int = whole(90, ge=0, le=3650)
    """After how many days the delivery process makes a next signing key by itself. 0: only `sso key rotate` does."""
    dpop_nonce: bool = False
    """Ask every DPoP proof for a nonce of ours (RFC 9449 section 8): a proof made beforehand is worth nothing then."""
    hash_memory_kib: int = whole(19456, ge=8192, le=1048576)
    """argon2id memory per hash."""
    hash_limit: int = whole(1, ge=1, le=64)
    """How many passwords one process hashes at once; all of a node together hash no more than half as many as it has
    cores, one at least."""
    web_server: Literal["gunicorn", "granian"] = "gunicorn"
    """What answers requests: `gunicorn`, or `granian` (an extra of that name), which is faster behind a proxy that does
    its part: see [operations.md](operations.md#web-servers)."""
    own_cores: bool = False
    """Each web worker keeps to one core (Linux): less work for all but password sign-ins where a machine or container
    has a core for each that no other program is bound to: see [operations.md](operations.md#cores)."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """`auto`: text on a terminal, JSON lines elsewhere."""

    def __post_init__(self) -> None:
        """Each as it should be, whatever came from the environment; all that isn't is said at once."""
        kinds = get_type_hints(Settings)
        problems = []
        for each in fields(self):
            try:
                value = read(getattr(self, each.name), kinds[each.name], each.metadata)
                if check := _CHECKS.get(each.name):
                    value = check(value)
                object.__setattr__(self, each.name, value)
            except ValueError as error:
                problems.append(f"SSO_{each.name.upper()}: {error}")
        if problems or (problems := self._contradictions()):
            raise ConfigError(problems)

    def _contradictions(self) -> list[str]:
        # What one node seals another opens: a key of its own in each data directory would part them, and a node with a
        # new disk could open none of the signing keys.
        if self.is_postgresql and not self.secret_key.get_secret_value().strip(", "):
            words = (
                "Take the content of secret-key in SSO_DATA_DIR if there is one, else make one: openssl rand -base64 48"
            )
            return [f"SSO_SECRET_KEY: needed with PostgreSQL, and the same on every node. {words}"]
        if self.session_absolute < self.session_idle:
            return ["SSO_SESSION_ABSOLUTE is shorter than SSO_SESSION_IDLE"]
        return []

    @property
    def is_https(self) -> bool:
        """Cookies are Secure and carry the `__Host-` prefix."""
        return self.issuer.startswith("https://")

    @property
    def doubts(self) -> list[str]:
        """What is possible and hardly meant: a sentence for each."""
        if self.is_https and not self.proxies:
            # No server of ours speaks TLS, so something stands before us.
            words = (
                "SSO_TRUSTED_PROXIES is empty: all people seem to come from the proxy that ends TLS, and who guesses"
                " passwords slows down everybody. Name its address."
            )
            return [words]
        return []

    @property
    def is_postgresql(self) -> bool:
        """Other nodes may work with the same database."""
        return self.database_url.get_secret_value().split("://")[0] in _POSTGRESQL

    @property
    def sql_url(self) -> str:
        """The database's address."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.data_dir.absolute() / 'lockstep.sqlite3'}"

    @property
    def proxies(self) -> tuple[_Network, ...]:
        """The trusted networks."""
        return _networks(self.trusted_proxies)

    @property
    def metrics_networks(self) -> tuple[_Network, ...]:
        """Those of SSO_METRICS_FROM."""
        return _networks(self.metrics_from)

    def policy(self) -> Policy:
        """The core's view of the lifetimes."""
        return Policy(
            issuer=self.issuer,
            ticket_ms=self.ticket_life * SECOND,
            require_pushed_requests=self.require_pushed_requests,
            access_token_ms=self.access_token_life * SECOND,
            offline_ms=self.offline_life * SECOND,
            idle_ms=self.session_idle * SECOND,
            absolute_ms=self.session_absolute * SECOND,
            remembered_ms=self.session_remembered * SECOND,
            lease_s=self.lease,
            grace_s=self.grace,
            idle_without_reports=self.idle_without_reports,
        )


def _origin(issuer: str) -> str:
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


def _long_keys(keys: Secret) -> Secret:
    for key in filter(None, (k.strip() for k in keys.get_secret_value().split(","))):
        if len(key) < 32:
            raise ValueError("has a key of less than 32 characters")
    return keys


def _list_of_networks(text: str) -> str:
    _networks(text)
    return text


def _installed(name: str) -> str:
    if importlib.util.find_spec(name) is None:
        raise ValueError(f"{name} is not installed; install lockstep-sso[server,{name}]")
    return name


def _redis_address(url: Secret) -> Secret:
    # The rest of the address is read where a Redis client is at hand (stores/redis/address.py).
    address = url.get_secret_value()
    if address and not address.startswith(_REDIS_SCHEMES):
        raise ValueError(f"must begin with one of {', '.join(_REDIS_SCHEMES)}")
    return url


def _database_address(url: Secret) -> Secret:
    address = url.get_secret_value()
    scheme = address.split("://")[0]
    if scheme not in ("", "sqlite", "sqlite+pysqlite", *_POSTGRESQL):
        raise ValueError("must begin with postgresql:// or sqlite:///")
    if scheme in _POSTGRESQL and importlib.util.find_spec("psycopg") is None:
        raise ValueError("the driver is not installed; install lockstep-sso[server,postgres]")
    if address:
        # Here, because commands that need no database shouldn't wait for SQLAlchemy.
        from sso_server.stores.sql.address import parse_url

        parsed = parse_url(address)
        if scheme in _POSTGRESQL:
            from sso_server.stores.sql.postgres import refuse_unknown_options

            refuse_unknown_options(parsed)
    return url


#: The settings, in order.
NAMES = tuple(each.name for each in fields(Settings))
#: What a setting must be beyond its type: the value, or ValueError.
_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "issuer": _origin,
    "secret_key": _long_keys,
    "trusted_proxies": _list_of_networks,
    "metrics_from": _list_of_networks,
    "web_server": _installed,
    "redis_url": _redis_address,
    "database_url": _database_address,
}


def load(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings from the environment, `overrides` (by field name) first. Raises ConfigError with all problems."""
    environ = environment_with() if environ is None else environ
    problems: list[str] = []
    values: dict[str, Any] = {}
    known = {f"SSO_{name.upper()}": name for name in NAMES}
    files = {f"SSO_{name.upper()}_FILE": name for name in _SECRETS}
    for variable in sorted(v for v in environ if v.startswith("SSO_")):
        if variable in known:
            values[known[variable]] = environ[variable]
        elif variable in files:
            try:
                values.setdefault(files[variable], Path(environ[variable]).read_text(encoding="utf-8").strip())
            except OSError as error:
                problems.append(f"{variable}: cannot read {environ[variable]}: {error.strerror}")
            except UnicodeDecodeError:
                problems.append(f"{variable}: cannot read {environ[variable]}: it isn't UTF-8")
        elif variable not in _OF_SITES:
            near = difflib.get_close_matches(variable, [*known, *files], n=1)
            problems.append(f"{variable}: there is no such setting" + (f"; did you mean {near[0]}?" if near else ""))
    values.update(overrides)
    try:
        settings = Settings(**values)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from None
    if problems:
        raise ConfigError(problems)
    return settings


def sources(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variable that each setting comes from, by field name; one that isn't in it has its default."""
    environ = environment_with() if environ is None else environ
    files = {name: f"SSO_{name.upper()}_FILE" for name in _SECRETS}
    found = {name: variable for name, variable in files.items() if variable in environ}
    return found | {n: f"SSO_{n.upper()}" for n in NAMES if f"SSO_{n.upper()}" in environ}


def _networks(text: str) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(n.strip(), strict=False) for n in text.split(",") if n.strip())
