"""A site's settings: argument before framework config before environment, all problems reported at once.

The only reader of the environment. Names are `SSO_` and the field in capitals; each secret also as `..._FILE`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sso_client.addresses import is_trustworthy, origin_of
from sso_client.errors import SettingsError

ALGORITHMS = ("ES256", "RS256", "EdDSA")
PROTOCOLS = ("oidc", "cas")
# What CAS has no word for; at another CAS server than our centre there is no discovery and no signed token either.
_NOT_IN_CAS = ("scopes", "audience")
_NOT_ELSEWHERE = ("id_token_algs", "endpoint_origins")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a site says about itself and its centre.

    >>> load_settings({"issuer": "https://sso.example.com", "client_id": "shop", "client_secret": "s"}).client_id
    'shop'
    """

    issuer: str
    """The centre's address, exactly as its discovery document says it."""
    client_id: str
    """The name under which the site is registered."""
    client_secret: str = field(repr=False)
    """The site's secret; `SSO_CLIENT_SECRET_FILE` names a file that holds it."""
    base_url: str | None = None
    """The address that people type, e.g. https://shop.example.com; needed behind a proxy."""
    store: str | None = field(default=None, repr=False)
    """Local sessions: sqlite:///relative, sqlite:////absolute, redis://host/0 for several hosts. Else a file here."""
    scopes: tuple[str, ...] = ("openid", "profile", "email", "groups")
    """What to ask the centre for; always with openid."""
    session_max_age: int = 86400
    """Seconds after which a local session ends in any case; the centre may say less."""
    after_logout: str = "page"
    """`page`: the centre's signed-out page, a line for each site. `redirect`: back to base_url at once."""
    id_token_algs: tuple[str, ...] = ALGORITHMS
    """Signature algorithms to accept: ES256, RS256, EdDSA or some of them."""
    audience: str | None = None
    """What else access tokens for this site's API may name in `aud`; its client id always may."""
    endpoint_origins: tuple[str, ...] = ()
    """Further origins that the provider's endpoints may have (some providers use several hosts)."""
    ca_file: str | None = None
    """A PEM file with the certificate authorities to trust instead of the public ones."""
    protocol: str = "oidc"
    """How people are signed in: oidc (OpenID Connect), or cas at a centre that speaks both."""
    cas_url: str | None = None
    """Another CAS server's address, e.g. https://cas.example.org/cas, in the place of SSO_ISSUER, id and secret."""

    @property
    def issuer_origin(self) -> str:
        return origin_of(self.issuer) or ""


def load_settings(
    options: Mapping[str, Any], config: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Settings from arguments (`issuer=`), a framework's config (`SSO_ISSUER`), then the environment.

    Raises SettingsError naming every problem, each with its fix.
    """
    environ = os.environ if environ is None else environ
    known = {item.name for item in fields(Settings)}
    problems = [
        f"unknown option {name!r}: the options are {', '.join(sorted(known))}" for name in options if name not in known
    ]
    found: dict[str, Any] = {}
    for name in known:
        value = _first(name, options, config or {}, environ, problems)
        if value is not None and value != "":
            found[name] = value
    if found.get("cas_url"):
        problems += _settle_cas_server(found)
    problems += [
        f"SSO_{name.upper()} is not set: {fix}"
        for name, fix in (
            ("issuer", "export SSO_ISSUER=https://your-centre"),
            ("client_id", "`sso client add NAME --site BASE_URL` at the centre prints it"),
            ("client_secret", "`sso client add` prints it once; SSO_CLIENT_SECRET_FILE may name a file instead"),
        )
        if not found.get(name)
        and not found.get("cas_url")
        and not any(f"SSO_{name.upper()}_FILE" in problem for problem in problems)
    ]
    for name in ("scopes", "id_token_algs", "endpoint_origins"):
        if name in found:
            value = found[name]
            found[name] = tuple(value.replace(",", " ").split() if isinstance(value, str) else value)
    problems += _problems(found)
    problems += _protocol_problems(found)
    if problems:
        raise SettingsError(problems)
    found["issuer"] = str(found["issuer"])
    if found.get("base_url"):
        found["base_url"] = str(found["base_url"]).rstrip("/")
    if "session_max_age" in found:
        found["session_max_age"] = int(found["session_max_age"])
    return Settings(**found)


def _first(
    name: str, options: Mapping[str, Any], config: Mapping[str, Any], environ: Mapping[str, str], problems: list[str]
) -> Any:
    """The first source that has a value wins; within one source the value itself beats its `_FILE`."""
    if options.get(name) is not None:
        return options[name]
    key = f"SSO_{name.upper()}"
    for source in (config, environ):
        if source.get(key) not in (None, ""):
            return source[key]
        if name == "client_secret" and source.get(f"{key}_FILE"):
            path = str(source[f"{key}_FILE"])
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"{key}_FILE: {path} can't be read ({type(error).__name__}): correct its path or mode")
                return None
    return None


def _problems(found: Mapping[str, Any]) -> list[str]:
    problems = []
    for name in ("cas_url" if found.get("cas_url") else "issuer", "base_url"):
        url = found.get(name)
        if url is None:
            continue
        if not isinstance(url, str) or origin_of(url) is None:
            problems.append(f"SSO_{name.upper()} {url!r} is no http(s) address: write it like https://host[:port]")
        elif urlsplit(url).query or urlsplit(url).fragment:
            problems.append(f"SSO_{name.upper()} {url!r} has a query or fragment: remove it")
        elif not is_trustworthy(url):
            problems.append(f"SSO_{name.upper()} {url!r} is plain http: use https (http works on loopback only)")
    store = found.get("store")
    if store is not None and not is_store(store):
        problems.append(
            f"SSO_STORE {_shown(store)!r} can't be read: use sqlite:///path (four slashes for an absolute path) or"
            " redis://[user]:password@host:6379/0, with the special characters of a password percent-encoded"
        )
    if found.get("after_logout", "page") not in ("page", "redirect"):
        problems.append(f"SSO_AFTER_LOGOUT {found['after_logout']!r} is not known: use page or redirect")
    elif found.get("after_logout") == "redirect" and not found.get("base_url"):
        problems.append("SSO_AFTER_LOGOUT=redirect needs SSO_BASE_URL: the address to come back to")
    if "scopes" in found and "openid" not in found["scopes"]:
        problems.append("SSO_SCOPES lacks openid: add it")
    if not set(found.get("id_token_algs", ALGORITHMS)) <= set(ALGORITHMS) or found.get("id_token_algs") == ():
        problems.append("SSO_ID_TOKEN_ALGS: only ES256, RS256 and EdDSA are allowed")
    problems += [
        f"SSO_ENDPOINT_ORIGINS: {origin!r} is no trustworthy origin: write it like https://host"
        for origin in found.get("endpoint_origins", ())
        if origin_of(origin) != origin or not is_trustworthy(origin)
    ]
    if found.get("audience") is not None and found["audience"] == found.get("issuer"):
        # Our centre names itself in every access token, so that every site's tokens would be taken here.
        problems.append("SSO_AUDIENCE is the centre's own address: leave it unset, or name this site's API")
    age = found.get("session_max_age", 86400)
    if isinstance(age, bool) or not str(age).isdigit() or int(age) < 1:
        problems.append(f"SSO_SESSION_MAX_AGE {age!r} is no number of seconds: write it like 86400")
    ca_file = found.get("ca_file")
    if ca_file is not None and not Path(ca_file).is_file():
        problems.append(f"SSO_CA_FILE {ca_file!r} is no file: correct the path")
    return problems


def _settle_cas_server(found: dict[str, Any]) -> list[str]:
    """Another CAS server signs people in: what that leaves open is filled in. Returns what can't be."""
    problems = []
    if found.setdefault("protocol", "cas") != "cas":
        problems.append("SSO_CAS_URL means SSO_PROTOCOL=cas: unset one of the two")
    if found.get("issuer"):
        problems.append("SSO_CAS_URL and SSO_ISSUER name two sign-in services: unset one of them")
    found["issuer"] = found["cas_url"] = str(found["cas_url"]).rstrip("/")
    # That server knows no client: this names the site's cookies and its store. One host may have several sites.
    found.setdefault(
        "client_id", re.sub("[^A-Za-z0-9]+", "-", urlsplit(str(found.get("base_url", ""))).netloc) or "cas"
    )
    found.setdefault("client_secret", "")
    return problems


def _protocol_problems(found: Mapping[str, Any]) -> list[str]:
    if found.get("protocol", "oidc") not in PROTOCOLS:
        return [f"SSO_PROTOCOL {found['protocol']!r} is not known: use oidc or cas"]
    if found.get("protocol", "oidc") == "oidc":
        return []
    is_elsewhere = bool(found.get("cas_url"))
    problems = [
        f"SSO_{name.upper()} means nothing {'at another CAS server' if name in _NOT_ELSEWHERE else 'in CAS'}: unset it"
        for name in (*_NOT_IN_CAS, *(_NOT_ELSEWHERE if is_elsewhere else ()))
        if name in found
    ]
    if is_elsewhere and not found.get("base_url"):
        # Such a server binds a ticket to an address and to nothing else. If visitors chose that (`Host`), whoever runs
        # another site there could bring its people's tickets here, and be them.
        problems.append("SSO_CAS_URL needs SSO_BASE_URL: the one address of this site that tickets are good for")
    if find_spec("defusedxml") is None:
        problems.append("SSO_PROTOCOL=cas needs a library that reads XML safely: pip install 'lockstep-sso[cas]'")
    return problems


def _shown(store: Any) -> str:
    """What may be shown of an address: in one that can't be read a password may stand anywhere."""
    text = str(store)
    kind = re.match("[a-z+]+:(?=/)", text)
    return text if text.startswith("sqlite:") or not re.search("[@:?#]", text) else f"{kind[0] if kind else ''}..."


def is_store(store: Any) -> bool:
    """True if this is an address of local sessions that can be read in one way only."""
    if not isinstance(store, str):
        return False
    if store.startswith(("redis://", "rediss://")):
        try:
            parts = urlsplit(store)
            # A bare `/`, `?` or `#` in a password ends the address too early: what is taken for the host isn't it.
            is_whole = re.fullmatch("(/[0-9]*)?", parts.path) and "#" not in store
            return bool(parts.hostname and is_whole and parts.port != 0)
        except ValueError:
            return False
    return store.startswith("sqlite:///") and store[10:] not in ("", ":memory:")
