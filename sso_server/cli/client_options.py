"""The options that `sso client add` and `update` share, and which of them can't stand together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from sso_server.cli.arguments import duration
from sso_server.cli.metadata_options import FLAGS, METADATA_OPTIONS
from sso_server.cli.metadata_wishes import MEMBERS
from sso_server.core.claims import SCOPES
from sso_server.core.clients import ACCESS_TOKENS, ALGORITHMS, CAS, DELIVERIES, KINDS, OIDC

_OPTIONS = (
    click.option("--name", help="The name that pages show."),
    click.option("--site", metavar="BASE_URL", help="A site with the SDK: its addresses follow."),
    click.option("--protocol", type=click.Choice(KINDS), help="How people sign in there (with --site; default oidc)."),
    click.option("--redirect-uri", "redirect_uris", multiple=True, help="Where tickets may be sent; repeatable."),
    click.option(
        "--post-logout-redirect-uri",
        "post_logout_redirect_uris",
        multiple=True,
        help="Where the browser may go after a sign-out; repeatable.",
    ),
    click.option("--backchannel-logout-uri", help="Where the site is told that a session has ended."),
    click.option(
        "--delivery", type=click.Choice(DELIVERIES), help="How it hears of ends without the SDK: called, or asking."
    ),
    click.option(
        "--cas-service",
        "cas_services",
        multiple=True,
        metavar="URL",
        help="A CAS service: this address, or with a slash at its end all below it; repeatable.",
    ),
    click.option(
        "--cas-logout-uri", metavar="URL", help="Where a CAS service is told of ends; without it, at its own address."
    ),
    click.option(
        "--cas-proxy-callback",
        "cas_proxy_callbacks",
        multiple=True,
        metavar="URL",
        help="Where its proxy-granting tickets may be sent (https; a slash as above); repeatable.",
    ),
    click.option(
        "--cas-attribute",
        "cas_attributes",
        multiple=True,
        metavar="NAME[=CLAIM]",
        help="What its validations say of a person, instead of all that its scopes open; repeatable.",
    ),
    click.option(
        "--scope",
        "scopes",
        multiple=True,
        metavar="SCOPE",
        help=f"What it may know of people ({', '.join(SCOPES)}; without the option, all of these), or a scope of an "
        "API, such as stock.read; repeatable.",
    ),
    click.option("--public/--confidential", default=None, help="A public client has no secret and must use PKCE."),
    click.option("--id-token-alg", type=click.Choice(ALGORITHMS), help="How its tokens are signed."),
    click.option("--refresh-tokens/--no-refresh-tokens", default=None, help="It gets refresh tokens."),
    click.option(
        "--access-token",
        type=click.Choice(ACCESS_TOKENS),
        help="Its access tokens are asked about, or are JWTs that APIs check themselves.",
    ),
    click.option(
        "--audience", multiple=True, metavar="CLIENT_ID", help="Whose API its access tokens are for; repeatable."
    ),
    click.option("--lease", type=duration, help="N: how long its store may serve after a check-in."),
    click.option("--grace", type=duration, help="Extra time when the centre can't be reached."),
    click.option("--local-session-max", type=duration, help="The longest life of a local session there."),
    click.option(
        "--allow-private/--no-allow-private", default=None, help="Its logout address may lie in a private network."
    ),
    *METADATA_OPTIONS,
)
_DERIVED = ("redirect_uris", "post_logout_redirect_uris", "backchannel_logout_uri", "cas_services", "cas_logout_uri")
_CAS_ONLY = ("cas_services", "cas_logout_uri", "cas_proxy_callbacks", "cas_attributes")
_OIDC_ONLY = (
    "redirect_uris",
    "post_logout_redirect_uris",
    "backchannel_logout_uri",
    "delivery",
    "public",
    "refresh_tokens",
    "access_token",
    "audience",
    *MEMBERS,
)
_FLAGS = {
    **FLAGS,
    "redirect_uris": "--redirect-uri",
    "post_logout_redirect_uris": "--post-logout-redirect-uri",
    "cas_services": "--cas-service",
    "cas_proxy_callbacks": "--cas-proxy-callback",
    "cas_attributes": "--cas-attribute",
    "public": "--public or --confidential",
}


def registration_options(command: Any) -> Any:
    """Puts them on a command; one that isn't given is None or empty."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Only what was said on the command line. Usage error if it can't stand together."""
    wishes = {name: value for name, value in options.items() if value is not None and value != ()}
    if problem := problem_of_ways(wishes, _flag):
        raise click.UsageError(problem)
    return wishes


def kind_of(wishes: Mapping[str, Any]) -> str:
    """The kind of a new client that is wished for like this."""
    return str(wishes.get("protocol", CAS if any(name in wishes for name in _CAS_ONLY) else OIDC))


def problem_of_ways(wishes: Mapping[str, Any], spelled: Callable[[str], str] = str) -> str:
    """Why these can't stand together, for people; empty: they can. `spelled`: what a wish is called where it stands."""
    if "site" in wishes and (name := _first(_DERIVED, wishes)):
        site = spelled("site")
        return f"{site} derives the addresses: leave out {spelled(name)}, or leave out {site}."
    of_cas, of_oidc = _first(_CAS_ONLY, wishes), _first(_OIDC_ONLY, wishes)
    protocol = wishes.get("protocol")
    if of_cas and "site" in wishes and protocol is None:
        return f"{spelled(of_cas)} is for CAS: say how people sign in at that site, {spelled('protocol')} cas."
    mine = spelled(of_cas) if of_cas else f"{spelled('protocol')} cas" if protocol == CAS else ""
    other = spelled(of_oidc) if of_oidc else f"{spelled('protocol')} oidc" if protocol == OIDC else ""
    if mine and other:
        return f"{mine} is for CAS, and {other} for OpenID Connect: a client speaks one of them."
    return ""


def foreign_to(kind: str, wishes: Mapping[str, Any]) -> bool:
    """Whether something of it is for clients of another kind."""
    return wishes.get("protocol", kind) != kind or _first(_OIDC_ONLY if kind == CAS else _CAS_ONLY, wishes) != ""


def _first(names: tuple[str, ...], wishes: Mapping[str, Any]) -> str:
    return next((name for name in names if name in wishes), "")


def _flag(name: str) -> str:
    return _FLAGS.get(name, "--" + name.replace("_", "-"))
