"""The options of `sso client add` and `update` for what OpenID Connect and OAuth call metadata. What becomes of them is
`metadata_wishes`'.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sso_server.cli.arguments import duration
from sso_server.cli.metadata_wishes import ANY, GRANT_WORDS, NONE
from sso_server.core.client_metadata import (
    APPLICATION_TYPES,
    AUTH_METHODS,
    CLIENT_ALGORITHMS,
    FAPI2,
    SIGNING_ALGORITHMS,
    SUBJECT_TYPES,
)
from sso_server.core.key_sets import MAX_SET


def _switch(on: str, off: str, name: str, words: str) -> Any:
    return click.option(f"--{on}/--{off}", name, default=None, help=words)


def _chosen(flag: str, name: str, words: tuple[str, ...], text: str) -> Any:
    return click.option(f"--{flag}", name, type=click.Choice(words), help=text)


def _said(flag: str, name: str, what: str, text: str) -> Any:
    return click.option(f"--{flag}", name, metavar=what, help=text)


def _several(flag: str, name: str, what: str, text: str) -> Any:
    return click.option(f"--{flag}", name, metavar=what, multiple=True, help=f"{text}; repeatable.")


def _keys(_context: click.Context, _option: click.Parameter, path: str | None) -> str | None:
    if not path:
        return path
    try:
        return read_keys(Path(path))
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"cannot read {path}: {getattr(error, 'strerror', None) or error}.") from error


def read_keys(path: Path) -> str:
    """The text of a file with public keys; no more of it than may be registered. Raises OSError, ValueError."""
    with path.open(encoding="utf-8") as file:
        return file.read(MAX_SET + 1)


def _max_age(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    return None if text is None else -1 if text == NONE else duration(text)


METADATA_OPTIONS = (
    _switch("third-party", "first-party", "third_party", "People are asked before it learns anything of them."),
    _switch("pkce", "no-pkce", "require_pkce", "A confidential client may be let off PKCE."),
    _chosen("profile", "profile", (NONE, FAPI2), "Hold it to the FAPI 2.0 Security Profile; what that needs follows."),
    click.option(
        "--grant",
        "grant_types",
        type=click.Choice(tuple(GRANT_WORDS)),
        multiple=True,
        help="How it may get tokens (default authorization_code); repeatable.",
    ),
    _chosen(
        "auth-method", "token_endpoint_auth_method", (*AUTH_METHODS, ANY), "The one way in which it says who it is."
    ),
    _chosen("auth-signing-alg", "token_endpoint_auth_signing_alg", (*CLIENT_ALGORITHMS, ANY), "Of its assertions."),
    click.option(
        "--jwks-file", "jwks", metavar="PATH", callback=_keys, help="Its public keys, a JWK Set (empty: none any more)."
    ),
    _said("jwks-uri", "jwks_uri", "URL", "Where its public keys are."),
    _chosen("request-object-alg", "request_object_signing_alg", (*CLIENT_ALGORITHMS, ANY), "Of its request objects."),
    _switch("signed-requests", "unsigned-requests", "require_signed_request_object", "It must sign its requests."),
    _switch(
        "pushed-requests", "no-pushed-requests", "require_pushed_authorization_requests", "It must push its requests."
    ),
    _switch("dpop", "no-dpop", "dpop_bound_access_tokens", "Its access tokens are bound to a key of its own."),
    _chosen("subject-type", "subject_type", SUBJECT_TYPES, "Whether people have names there that no other site knows."),
    _said("sector-identifier-uri", "sector_identifier_uri", "URL", "Whose document names the sites that share them."),
    _chosen("userinfo-alg", "userinfo_signed_response_alg", (*SIGNING_ALGORITHMS, NONE), "How its userinfo is signed."),
    click.option(
        "--default-max-age",
        metavar="DURATION",
        callback=_max_age,
        help="People signed in longer ago than this are asked again (none: not any more).",
    ),
    _switch("auth-time", "no-auth-time", "require_auth_time", "Its ID tokens always say when somebody signed in."),
    _several("default-acr", "default_acr_values", "ACR", "How strong a sign-in it wants when it doesn't say"),
    _switch(
        "backchannel-session-required",
        "no-backchannel-session-required",
        "backchannel_logout_session_required",
        "Its logout tokens always name the session.",
    ),
    _said("frontchannel-logout-uri", "frontchannel_logout_uri", "URL", "A page of it that signs out in a frame."),
    _switch(
        "frontchannel-session-required",
        "no-frontchannel-session-required",
        "frontchannel_logout_session_required",
        "That page is told which session.",
    ),
    _said("initiate-login-uri", "initiate_login_uri", "URL", "Where others may have it begin a sign-in."),
    _chosen("application-type", "application_type", APPLICATION_TYPES, "A web site, or an app on people's devices."),
    _said("client-uri", "client_uri", "URL", "Its home page, for people."),
    _said("logo-uri", "logo_uri", "URL", "Its picture."),
    _said("policy-uri", "policy_uri", "URL", "What it does with what it learns of people."),
    _said("tos-uri", "tos_uri", "URL", "Its terms."),
    _several("contact", "contacts", "ADDRESS", "Who answers for it"),
    _several("localized", "localized", "NAME#LANGUAGE=TEXT", "client_name, client_uri ... in another language"),
    _said("software-id", "software_id", "TEXT", "Which program it is."),
    _said("software-version", "software_version", "TEXT", "Which version of it."),
    _several("resource", "resources", "URI", "What stands for its API in `resource`"),
    _several("exchange-audience", "exchange_audience", "CLIENT_ID", "For whose APIs it may exchange a token"),
)
FLAGS = {
    "token_endpoint_auth_method": "--auth-method",
    "token_endpoint_auth_signing_alg": "--auth-signing-alg",
    "jwks": "--jwks-file",
    "grant_types": "--grant",
    "require_pkce": "--pkce",
    "request_object_signing_alg": "--request-object-alg",
    "require_signed_request_object": "--signed-requests",
    "require_pushed_authorization_requests": "--pushed-requests",
    "dpop_bound_access_tokens": "--dpop",
    "userinfo_signed_response_alg": "--userinfo-alg",
    "require_auth_time": "--auth-time",
    "default_acr_values": "--default-acr",
    "backchannel_logout_session_required": "--backchannel-session-required",
    "frontchannel_logout_session_required": "--frontchannel-session-required",
    "contacts": "--contact",
    "resources": "--resource",
}
"""Where an option isn't called as what it sets."""
