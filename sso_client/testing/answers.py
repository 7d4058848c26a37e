"""What the fake provider says: its discovery document, tokens, introspection and check-in answers.

Members and their meaning: docs/endpoints.md. The `..._changes` of the provider come last, so that a test can break any.
"""

from typing import TYPE_CHECKING, Any

from sso_client.testing.tokens import AccessToken, Grant

if TYPE_CHECKING:
    from sso_client.testing.provider import Provider

#: What a test calls an endpoint -> its address.
PATHS = {
    "discovery": "/.well-known/openid-configuration",
    "keys": "/jwks.json",
    "authorize": "/authorize",
    "token": "/token",
    "userinfo": "/userinfo",
    "introspect": "/introspect",
    "revoke": "/revoke",
    "end-session": "/end-session",
    "check-in": "/check-in",
}
#: Claims that say how somebody signed in: they belong into the ID token, all others come from userinfo.
_OF_THE_SIGN_IN = ("amr", "acr")
_ID_TOKEN_S = 300


def discovery(provider: "Provider") -> dict[str, Any]:
    """The discovery document."""
    at = {name: provider.issuer + path for name, path in PATHS.items()}
    return _without_none(
        {
            "issuer": provider.issuer,
            "authorization_endpoint": at["authorize"],
            "token_endpoint": at["token"],
            "userinfo_endpoint": at["userinfo"],
            "introspection_endpoint": at["introspect"],
            "revocation_endpoint": at["revoke"],
            "end_session_endpoint": at["end-session"],
            "jwks_uri": at["keys"],
            "check_in_endpoint": at["check-in"] if provider.leases else None,
            "authorization_response_iss_parameter_supported": True,
        }
        | provider.discovery_changes
    )


def tokens(provider: "Provider", grant: Grant, nonce: str | None) -> dict[str, Any]:
    """The token endpoint's answer: after a ticket with its nonce, after a renewal without."""
    session = provider.sessions.get(grant.sid)
    said = {} if session is None else {n: v for n, v in session.claims.items() if n in _OF_THE_SIGN_IN}
    now_s = int(provider.now_s())
    claims = {
        "iss": provider.issuer,
        "sub": grant.sub,
        "aud": provider.client_id,
        "exp": now_s + _ID_TOKEN_S,
        "iat": now_s,
        "auth_time": grant.auth_time,
        "nonce": nonce,
        "sid": grant.sid,
        "amr": ["pwd"],
    } | (said | provider.id_token_changes)
    return _without_none(
        {
            "access_token": provider.new_access_token(grant),
            "token_type": "Bearer",
            "expires_in": provider.access_token_s,
            "scope": grant.scope,
            "refresh_token": provider.tokens.new_refresh_token(grant) if provider.refresh_tokens else None,
            "id_token": provider.sign(_without_none(claims)),
            "session_expires_in": provider.session_expires_in,
            "lease_s": provider.lease_s,
        }
        | provider.token_changes
    )


def access_claims(provider: "Provider", token: AccessToken) -> dict[str, Any]:
    """The claims of a JWT access token (RFC 9068 section 2.2)."""
    return _facts(provider, token) | {"auth_time": token.grant.auth_time} | _groups(provider, token.grant)


def introspection(provider: "Provider", text: str) -> dict[str, Any]:
    """What RFC 7662 says of an access token: everything, or only that it isn't active."""
    token = provider.find_access(text)
    if token is None:
        return {"active": False}
    username = claims_of(provider, token.grant).get("preferred_username", token.grant.sub)
    said = {"active": True, "token_type": "Bearer", "username": username, "auth_time": token.grant.auth_time}
    return _without_none(
        _facts(provider, token) | _groups(provider, token.grant) | said | provider.introspection_changes
    )


def claims_of(provider: "Provider", grant: Grant) -> dict[str, Any]:
    """What userinfo says of the person of a grant, beside `sub` and `profile`."""
    session = provider.sessions.get(grant.sid)
    told = {} if session is None else session.claims
    return {name: value for name, value in told.items() if name not in _OF_THE_SIGN_IN}


def check_in(provider: "Provider", told: dict[str, Any]) -> dict[str, Any]:
    """Hear a store and answer it: every end that it has not acknowledged, and what its APIs must refuse."""
    provider.check_ins.append(told)
    rows = provider.rows[told["store"]]
    for sid in told["acks"]:
        rows.pop(sid, None)
    for sid in told["ended"]:
        provider.end(sid, "site_sign_out")
        rows.pop(sid, None)  # it knows already
    unknown = [
        {"sid": sid, "reason": "unknown_session", "ended_at": int(provider.now_s() * 1000)}
        for sid in told.get("sids") or ()
        if sid in provider.ended or sid not in provider.stores
    ]
    more = provider.more_rounds > 0
    provider.more_rounds = max(0, provider.more_rounds - 1)
    return {
        "ends": [*rows.values(), *unknown],
        "more": more,
        "mark": f"mark-{len(provider.check_ins)}",
        "lag_ms": provider.lag_ms,
        "lease_s": provider.lease_s,
        "grace_s": provider.grace_s,
        **({} if provider.report_s is None else {"report_s": provider.report_s}),
        **({} if provider.epoch is None else {"epoch": provider.epoch}),
        **_denied(provider, told),
    } | provider.check_in_changes


def _denied(provider: "Provider", told: dict[str, Any]) -> dict[str, Any]:
    """Only for a store that asks. The last entry comes once more: lists may overlap, and readers must bear it."""
    if "denied_from" not in told:
        return {}
    first = max(0, (told["denied_from"] or 0) - 1)
    now_ms = provider.now_s() * 1000
    listed = [entry for entry in provider.denied[first:] if entry["until"] > now_ms]
    return {"denied": listed, "denied_to": len(provider.denied)}


def _facts(provider: "Provider", token: AccessToken) -> dict[str, Any]:
    """What is the same in a JWT access token and in introspection."""
    return {
        "iss": provider.issuer,
        "sub": token.grant.sub,
        "aud": [provider.issuer, provider.client_id],
        "client_id": provider.client_id,
        "iat": token.iat,
        "exp": token.exp,
        "jti": token.jti,
        "scope": token.grant.scope,
        "sid": token.grant.sid,
    }


def _groups(provider: "Provider", grant: Grant) -> dict[str, Any]:
    groups = claims_of(provider, grant).get("groups")
    return {"groups": groups} if groups is not None and "groups" in grant.scope.split() else {}


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
