"""What a logout call must say (OpenID Connect Back-Channel Logout 1.0 sections 2.4 to 2.6). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

import jwt

from sso_client.errors import SSOError
from sso_client.signed_token import MAX_TOKEN, Header, check_origin, check_times, number, read_claims, text

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """A verified logout token. `iat` in seconds; `reason` and `ended_at_ms` only from our own centre."""

    sub: str | None
    sid: str | None
    iat: int
    jti: str
    reason: str | None
    ended_at_ms: int | None


def token_from_form(body: bytes, content_type: str) -> str:
    """The one field `logout_token` of a form. Raises SSOError `form_invalid`, `token_oversize`."""
    return field_from_form(body, content_type, "logout_token")


def field_from_form(body: bytes, content_type: str, name: str) -> str:
    """The field of that name, which is there once and not empty. Raises SSOError `form_invalid`, `token_oversize`."""
    if len(body) > MAX_TOKEN:
        raise SSOError("token_oversize", f"{len(body)} bytes")
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise SSOError("form_invalid", f"content type {content_type!r:.80}")
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=10)
    except ValueError as error:
        raise SSOError("form_invalid", type(error).__name__) from error
    values = fields.get(name, [])
    if len(values) != 1 or not values[0]:
        raise SSOError("form_invalid", f"{len(values)} times {name}")
    return values[0]


def verify_logout_token(
    token: str,
    header: Header,
    keys: Sequence[jwt.PyJWK],
    *,
    issuer: str,
    client_id: str,
    now_s: float,
    older: bool = False,
) -> LogoutNotice:
    """Check everything, in this order. Raises SSOError.

    `older` takes what providers from before the final specification send: `typ` "JWT" or none at all, and no `exp`.
    """
    # Section 2.4: explicit typing, so that no other signed token can pass for a logout token.
    typ = "" if header.typ is None else header.typ.lower().removeprefix("application/")
    if typ != "logout+jwt" and not (older and typ in ("", "jwt")):
        raise SSOError("typ_wrong", f"typ {header.typ!r:.40}")
    claims = read_claims(token, header, keys)
    check_origin(claims, issuer, client_id)
    # `exp` is the specification's since 1.0 final; where there is none, `iat` bounds the token.
    iat = check_times(claims, now_s, needs_exp=not older)
    if "exp" not in claims and iat < now_s - 86_400:
        raise SSOError("token_expired", "no exp, and older than a day")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise SSOError("event_missing")
    if "nonce" in claims:  # section 2.4: so that no ID token can pass for a logout token
        raise SSOError("nonce_present")
    sub, sid, jti = text(claims, "sub"), text(claims, "sid"), text(claims, "jti")
    if sub is None and sid is None:
        raise SSOError("subject_missing")
    if jti is None:
        raise SSOError("jti_missing")
    reason, ended_at = claims.get("reason"), claims.get("ended_at")
    return LogoutNotice(
        sub,
        sid,
        iat,
        jti,
        reason if isinstance(reason, str) and len(reason) <= 40 else None,
        int(ended_at)
        if isinstance(ended_at, int | float) and number({"t": ended_at / 1000}, "t") is not None
        else None,
    )
