"""What of a client's metadata may be registered (`client_metadata` has the record), for operators and for clients that
register themselves alike: each member for itself, then what must go together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sso_server.core.client_metadata import (
    APPLICATION_TYPES,
    AUTH_METHODS,
    AUTHORIZATION_CODE,
    CLIENT_ALGORITHMS,
    CLIENT_CREDENTIALS,
    FAPI2,
    FAPI2_ALGORITHMS,
    GRANT_TYPES,
    HUMAN_URIS,
    LOCALIZED,
    NATIVE,
    NO_AUTHENTICATION,
    PRIVATE_KEY_JWT,
    PROFILES,
    SIGNING_ALGORITHMS,
    SUBJECT_TYPES,
    TOKEN_EXCHANGE,
    ClientMetadata,
)
from sso_server.core.errors import InvalidRequest, Refused
from sso_server.core.key_sets import parse_key_set
from sso_server.core.redirect_uris import check_redirect_uris, hosts_of
from sso_server.core.uris import check_uri

if TYPE_CHECKING:
    from sso_server.core.clients import Client

MAX_TEXT = 200
MAX_LIST = 20
MAX_AGE_S = 366 * 86_400
# RFC 5646, as far as its form goes.
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def check_metadata(client: Client) -> None:
    """All of it may be registered. Raises InvalidRequest for the first that may not; of redirect URIs by their code."""
    for uris, what in (
        (client.redirect_uris, "redirect_uri"),
        (client.post_logout_redirect_uris, "post_logout_redirect_uri"),
    ):
        check_redirect_uris(uris, client.metadata.application_type, what)
    _check_text("The name", client.name, may_be_empty=True)
    _check_members(client.metadata)
    if client.metadata.profile == FAPI2:
        _check_fapi2(client)
    _check_keys(client)
    _check_together(client)


def _check_members(said: ClientMetadata) -> None:
    _one_of("application_type", said.application_type, APPLICATION_TYPES)
    _one_of("profile", said.profile, PROFILES)
    _one_of("subject_type", said.subject_type, SUBJECT_TYPES)
    _one_of("token_endpoint_auth_method", said.token_endpoint_auth_method, ("", *AUTH_METHODS))
    _one_of("token_endpoint_auth_signing_alg", said.token_endpoint_auth_signing_alg, ("", *CLIENT_ALGORITHMS))
    _one_of("request_object_signing_alg", said.request_object_signing_alg, ("", *CLIENT_ALGORITHMS))
    _one_of("userinfo_signed_response_alg", said.userinfo_signed_response_alg, ("", *SIGNING_ALGORITHMS))
    for grant in said.grant_types:
        _one_of("grant_type", grant, GRANT_TYPES)
    for name in (*HUMAN_URIS, "initiate_login_uri"):
        if uri := getattr(said, name):
            # OpenID Connect Registration section 2 for initiate_login_uri; the others are shown to people as links.
            check_https(uri, name)
    for name in ("jwks_uri", "sector_identifier_uri", "frontchannel_logout_uri"):
        if uri := getattr(said, name):
            check_uri(uri, name)
    for name in ("contacts", "default_acr_values", "resources", "exchange_audience"):
        values = getattr(said, name)
        if len(values) > MAX_LIST or len(set(values)) != len(values):
            raise InvalidRequest(f"{name} has at most {MAX_LIST} values, each once.")
        for value in values:
            _check_text(name, value)
    for name in ("software_id", "software_version"):
        _check_text(name, getattr(said, name), may_be_empty=True)
    if said.default_max_age is not None and not 0 <= said.default_max_age <= MAX_AGE_S:
        raise InvalidRequest(f"default_max_age is 0 to {MAX_AGE_S} seconds.")
    for resource in said.resources:
        # RFC 8707 section 2: absolute, and without a fragment.
        if not _scheme(resource) or "#" in resource or any(not "!" <= c <= "~" for c in resource):
            raise InvalidRequest(f"resource {resource!r} is not an absolute URI without a fragment.")
    _check_localized(said)


def _check_localized(said: ClientMetadata) -> None:
    if len(said.localized) > MAX_LIST or len({name for name, _ in said.localized}) != len(said.localized):
        raise InvalidRequest(f"At most {MAX_LIST} members in other languages, each once.")
    for tagged, text in said.localized:
        name, _, language = tagged.partition("#")
        if name not in LOCALIZED or _LANGUAGE.fullmatch(language) is None or len(language) > 35:
            # RFC 7591 section 2.2: the language tag follows a #.
            raise InvalidRequest(f"{tagged!r} is none of {', '.join(LOCALIZED)} with # and a language.")
        if name in HUMAN_URIS:
            check_https(text, tagged)
        else:
            _check_text(tagged, text)


def _check_keys(client: Client) -> None:
    said = client.metadata
    if said.jwks and said.jwks_uri:
        # RFC 7591 section 2: which of them would count?
        raise InvalidRequest("jwks and jwks_uri are alternatives: give one of them.")
    if said.jwks:
        parse_key_set(said.jwks)
    if said.token_endpoint_auth_method == PRIVATE_KEY_JWT and not (said.jwks or said.jwks_uri):
        raise InvalidRequest("private_key_jwt needs the client's keys: jwks or jwks_uri.")
    if said.require_signed_request_object and not (said.jwks or said.jwks_uri):
        raise InvalidRequest("Signed requests need the client's keys: jwks or jwks_uri.")


def _check_together(client: Client) -> None:
    said = client.metadata
    if len(set(said.grant_types)) != len(said.grant_types) or not said.grant_types:
        raise InvalidRequest("A client has at least one grant type, each named once.")
    if AUTHORIZATION_CODE in said.grant_types and not client.redirect_uris:
        raise InvalidRequest("A client needs at least one redirect_uri.", code="invalid_redirect_uri")
    if client.public:
        if not said.require_pkce:
            # RFC 9700 section 2.1.1: nothing else keeps somebody else from redeeming its codes.
            raise InvalidRequest("A public client always uses PKCE.")
        if said.token_endpoint_auth_method not in ("", NO_AUTHENTICATION):
            raise InvalidRequest(f"A public client doesn't authenticate by {said.token_endpoint_auth_method}.")
        for grant in (CLIENT_CREDENTIALS, TOKEN_EXCHANGE):
            # RFC 6749 section 4.4: whoever knows its id would have its tokens.
            if grant in said.grant_types:
                raise InvalidRequest(f"The grant type {grant} is for confidential clients.")
    elif said.token_endpoint_auth_method == NO_AUTHENTICATION:
        raise InvalidRequest("A confidential client authenticates: only a public one has the method none.")
    if said.subject_type == "pairwise" and not said.sector_identifier_uri:
        hosts = hosts_of(client.redirect_uris)
        if len(hosts) != 1 or "" in hosts:
            # OpenID Connect Core section 8.1: there must be one sector.
            raise InvalidRequest("subject_type pairwise needs a sector_identifier_uri unless all redirect_uris are on"
                                 " one host.")  # fmt: skip
    if said.frontchannel_logout_uri and _origin(said.frontchannel_logout_uri) not in map(_origin, client.redirect_uris):
        # OpenID Connect Front-Channel Logout 1.0 section 2.
        raise InvalidRequest("frontchannel_logout_uri has another scheme, host or port than every redirect_uri.")


def _check_fapi2(client: Client) -> None:
    """FAPI 2.0 Security Profile, section 5.3.2."""
    said = client.metadata
    has_http = any(uri.startswith("http://") for uri in client.redirect_uris)
    wrong: tuple[tuple[bool, str], ...] = (
        (client.public, "is for confidential clients"),
        (has_http and said.application_type != NATIVE, "knows http redirect_uris of native apps alone"),
        (said.token_endpoint_auth_method != PRIVATE_KEY_JWT, "needs the authentication method private_key_jwt"),
        (said.token_endpoint_auth_signing_alg not in ("", *FAPI2_ALGORITHMS), "knows no RS256 for assertions"),
        (said.request_object_signing_alg not in ("", *FAPI2_ALGORITHMS), "knows no RS256 for request objects"),
        (client.id_token_alg not in FAPI2_ALGORITHMS, "knows no RS256 for ID tokens: take ES256 or EdDSA"),
        (said.userinfo_signed_response_alg == "RS256", "knows no RS256 for userinfo"),
        (not said.require_pkce, "needs PKCE"),
        (not said.dpop_bound_access_tokens, "needs DPoP-bound access tokens"),
        (not said.require_pushed_authorization_requests, "needs pushed authorization requests"),
    )
    for is_wrong, why in wrong:
        if is_wrong:
            raise InvalidRequest(f"profile {FAPI2} {why}.")


def check_sector(client: Client, fetch: Callable[[str], bytes]) -> None:
    """Whoever answers for the sector says that these addresses belong to it (OpenID Connect Registration section 5).

    `fetch`: the document at an address, or Refused. Raises InvalidRequest.
    """
    said = client.metadata
    if not said.sector_identifier_uri:
        return
    try:
        named = json.loads(fetch(said.sector_identifier_uri))
    except Refused as error:
        raise InvalidRequest(f"sector_identifier_uri: {error.description}", detail=error.detail) from error
    except (ValueError, RecursionError):
        named = None
    if not isinstance(named, list) or not all(isinstance(uri, str) for uri in named):
        raise InvalidRequest("sector_identifier_uri doesn't lead to a JSON list of addresses.")
    if missing := [uri for uri in client.redirect_uris if uri not in named]:
        # Else a client could have the names that people bear at somebody else's sites.
        raise InvalidRequest(f"sector_identifier_uri doesn't name the redirect_uri {missing[0]!r}.")


def check_https(uri: str, what: str) -> None:
    """An https address. Raises InvalidRequest."""
    check_uri(uri, what)
    if not uri.startswith("https://"):
        raise InvalidRequest(f"{what} {uri!r} must be https.")


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidRequest(f"{what} {value!r} is not one of {', '.join(name for name in known if name)}.")


def _check_text(what: str, value: Any, *, may_be_empty: bool = False) -> None:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not (value.strip() or may_be_empty):
        raise InvalidRequest(f"{what} is a text of 1 to {MAX_TEXT} characters.")
    # Nor what turns the direction of the text that follows it; the joiners belong to scripts that people write.
    if not value.replace("\u200c", "").replace("\u200d", "").isprintable():
        raise InvalidRequest(f"{what} has characters that nobody sees.")


def _scheme(uri: str) -> str:
    """Empty: it has none, or is no URI."""
    try:
        return urlsplit(uri).scheme
    except ValueError:
        return ""


def _origin(uri: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(uri)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
