"""People: the account record, what may be a user name or a password, and orders to end many sessions."""

from __future__ import annotations

import re
import unicodedata

from sso_server.core.errors import InvalidRequest
from sso_server.core.records import record

PASSWORD_MIN = 8
PASSWORD_MAX_BYTES = 1024
_USERNAME = re.compile(r"[^\s/\\]{1,64}")


@record
class User:
    """An account. `version` grows whenever every session opened before must not live on."""

    user_id: str
    username: str
    password_hash: str
    created_at: int
    name: str = ""
    email: str = ""
    email_verified: bool = False
    groups: tuple[str, ...] = ()
    is_admin: bool = False
    locale: str = ""
    profile: str = "{}"
    """Further claims of OpenID Connect Core 1.0 section 5.1, JSON text: `given_name`, `address`, ..."""
    updated_at: int = 0
    """When a claim last changed (ms); 0: not since the account was made."""
    version: int = 1
    disabled_at: int | None = None


@record
class EndOrder:
    """An order to end many sessions, executed in batches until a pass finds nothing. Written with what caused it."""

    order_id: str
    reason: str
    created_at: int
    user_id: str = ""
    """Empty: not about one person."""
    user_version: int = 0
    """Sessions of the person opened under an older version end."""
    client_id: str = ""
    """Only sessions in which this client is a participant, and only its grants; with an empty `user_id` too: all
    sessions."""
    keep_sid: str = ""
    revoke_grants: bool = False
    """Grants of the person go too, offline ones and those of `keep_sid` as well."""
    finished_at: int | None = None
    ended: int = 0


def fold_username(text: str) -> str:
    """The form under which a name is unique and guesses are counted: NFKC, case folded, no outer spaces."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def check_username(text: str) -> str:
    """The name as it will be kept. Raises InvalidRequest."""
    name = unicodedata.normalize("NFKC", text).strip()
    # Whoever drops what can't be seen, as XML, a site or a trimming script does, reads another person's name.
    if _USERNAME.fullmatch(name) is None or not name.isprintable():
        raise InvalidRequest("A user name has 1 to 64 characters that can be seen, without spaces or slashes.")
    return name


def check_password(password: str) -> str:
    """The password as it is, unchanged (ASVS 5.0, 6.2.1 and 6.2.8). Raises InvalidRequest."""
    if len(password) < PASSWORD_MIN:
        raise InvalidRequest(f"A password needs at least {PASSWORD_MIN} characters.", code="password_too_short")
    if len(password.encode("utf-8", "surrogatepass")) > PASSWORD_MAX_BYTES:
        raise InvalidRequest(f"A password has at most {PASSWORD_MAX_BYTES} bytes.", code="password_too_long")
    return password
