"""Clients that register themselves and manage what they registered (RFC 7591, RFC 7592), and the initial access tokens
that let them in. What their JSON means is `registration_members`', who may ask what over HTTP the front's.
"""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sso_server.core.claims import SCOPES
from sso_server.core.client_metadata import AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN, ClientMetadata
from sso_server.core.clients import Client, ClientDirectory, ClientSecret, check_client
from sso_server.core.errors import InvalidRequest, InvalidToken, Refused, TooManyRequests, Unavailable
from sso_server.core.events import Event, EventKind
from sso_server.core.guesses import Limit, place_of
from sso_server.core.identifiers import digest
from sso_server.core.logout_address import is_called_from_now
from sso_server.core.metadata_rules import check_sector
from sso_server.core.policy import MINUTE, SECOND, Policy
from sso_server.core.ports import (
    AuditStore,
    ClientStore,
    Clock,
    Documents,
    GuessStore,
    Ledger,
    Randomness,
    RegistrationTokenStore,
)
from sso_server.core.records import record
from sso_server.core.redirect_uris import hosts_of
from sso_server.core.registration_members import METADATA, read, written
from sso_server.core.sign_out import SignOut
from sso_server.core.subjects import PAIRWISE, sector_of

#: What `SSO_REGISTRATION` may be: with an initial access token, for everybody, for nobody.
TOKEN, OPEN, OFF = "token", "open", "off"
#: What a client that registers itself may have unless its initial access token says otherwise. Who is in which group is
#: an organization's own business.
USUAL_SCOPES = tuple(scope for scope in SCOPES if scope != "groups")
USUAL_GRANTS = (AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE)
#: So many registrations in a row are a test suite's; more than one a minute after that, from one place, nobody needs.
_FREE = 200
# RFC 7592 section 2.2: what the answer has and the request must not.
_NOT_SENT = (
    "registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at",
)  # fmt: skip

#: Every process keeps every client, and reads all of them again when one changes.
MAX_SELF_REGISTERED = 5000


@record
class RegistrationToken:
    """An initial access token (RFC 7591 section 3): who may register clients, as what, how often and until when."""

    token_hash: str
    name: str
    created_at: int
    expires_at: int | None = None
    uses_left: int | None = None
    scopes: tuple[str, ...] = USUAL_SCOPES
    grants: tuple[str, ...] = USUAL_GRANTS

    def works(self, now: int) -> bool:
        """Not expired (ms), not used up."""
        return (self.expires_at is None or now < self.expires_at) and self.uses_left != 0


@record
class Registered:
    """A client as it is registered now, and the secrets that are shown this once; empty: none was made."""

    client: Client
    secret: str = ""
    token: str = ""
    """By which it is managed."""

    def members(self) -> dict[str, Any]:
        """All of it as the standards write it."""
        return written(self.client) | ({"client_secret": self.secret} if self.secret else {})


class Registrations:
    """The verbs of both RFCs, and of `sso registration`."""

    def __init__(
        self,
        tokens: RegistrationTokenStore,
        clients: ClientStore,
        directory: ClientDirectory,
        documents: Documents,
        limits: GuessStore,
        ledger: Ledger,
        sign_out: SignOut,
        audit: AuditStore,
        clock: Clock,
        randomness: Randomness,
        policy: Policy,
        *,
        mode: str,
        frontchannel: bool,
    ) -> None:
        self._tokens = tokens
        self._clients = clients
        self._directory = directory
        self._documents = documents
        self._limits = limits
        self._ledger = ledger
        self._sign_out = sign_out
        self._audit = audit
        self._clock = clock
        self._random = randomness
        self._policy = policy
        self._frontchannel = frontchannel
        self.mode = mode

    def register(self, members: Mapping[str, Any], token: str, address: str) -> Registered:
        """A new client. `token`: the initial access token, or empty; `address`: who asks.

        Raises InvalidToken, InvalidRequest (a code of RFC 7591 section 3.2.2), TooManyRequests, Refused (nobody may),
        Unavailable.
        """
        permit = self._permit(token, address)
        now = self._clock.now()
        management = self._random.token("rat")
        start = Client(
            self._random.token("app"),
            "",
            now,
            scopes=permit.scopes,
            refresh_tokens=False,
            # A client's lease is 5 s at least (core.clients); the setting may be less.
            lease_s=max(5, self._policy.lease_s),
            grace_s=self._policy.grace_s,
            metadata=ClientMetadata(
                third_party=True,
                require_pkce=False,
                grant_types=(),
                registration_token_hash=digest(management),
                registered_with=permit.name,
                allowed_scopes=permit.scopes,
                allowed_grants=permit.grants,
            ),
        )
        client, secret = self._with_secret(self._checked(members, start))
        if sum(one.metadata.registration_token_hash != "" for one in self._directory.all()) >= MAX_SELF_REGISTERED:
            raise Refused("So many clients have registered themselves that no more are taken.", code="access_denied")
        # Taken when nothing can be wrong any more: a mistake costs no use.
        if token and not self._tokens.spend(digest(token), now):
            raise InvalidToken("The initial access token is used up or has expired.")
        if not self._clients.add(client):
            raise Unavailable(detail=f"client id {client.client_id} is taken")
        self._note(client.client_id, "added", f"registration:{permit.name}")
        return Registered(client, secret, management)

    def get(self, client_id: str, token: str) -> Client:
        """The client that this registration access token manages, as it is stored now. Raises InvalidToken."""
        known = self._directory.find(client_id)
        kept = known.metadata.registration_token_hash if known is not None else ""
        # RFC 7592 section 2: an unknown client is answered like a wrong token, so that nobody learns which there are.
        if not token or not kept or not hmac.compare_digest(kept, digest(token)):
            raise InvalidToken("The registration access token is not valid for this client.")
        client = self._directory.find_as_stored(client_id)
        if client is not None and client.metadata.registration_token_hash == kept:
            return client
        raise InvalidToken("The registration access token is not valid for this client.")

    def change(self, was: Client, members: Mapping[str, Any]) -> Registered:
        """The registration that `get` gave becomes what these members say; what they leave out has its default. The
        registration access token stays. Raises InvalidRequest, Refused (changed at the same time), Unavailable."""
        if members.get("client_id") != was.client_id:
            raise InvalidRequest("client_id is missing, or is another client's.")
        if named := [name for name in _NOT_SENT if name in members]:
            raise InvalidRequest(f"{named[0]} is the server's to say: leave it out.")
        secret = members.get("client_secret")
        if secret is not None and not (isinstance(secret, str) and was.accepts_secret(secret, self._clock.now())):
            # RFC 7592 section 2.2: a client can't choose its own.
            raise InvalidRequest("client_secret is not this client's.", code=METADATA)
        client, made = self._with_secret(self._checked(members, was))
        if client.metadata.subject_type != was.metadata.subject_type or (
            client.metadata.subject_type == PAIRWISE and sector_of(client) != sector_of(was)
        ):
            # OpenID Connect Core section 12.2: what it knows people by stays; and no sector is proven by what was given
            # to another.
            raise InvalidRequest("subject_type and the sector of pairwise names stay: register anew.", code=METADATA)
        if not self._clients.update(client, was):
            raise Refused("The client was changed at the same time: nothing was written.", code="conflict")
        if is_called_from_now(client, was):
            # What waited to be asked for would wait for ever.
            self._ledger.call_from_now(client.client_id, client.kind, client.backchannel_logout_uri, self._clock.now())
        self._note(client.client_id, "changed", f"client:{client.client_id}")
        return Registered(client, made)

    def remove(self, client_id: str) -> None:
        """End the client as `sso client remove` does: the sessions that opened it end, through the ledger. Raises
        Unavailable."""
        order = self._sign_out.order_for_removal(client_id)
        if self._clients.remove(client_id, order):
            self._note(client_id, "removed", f"client:{client_id}")
            self._sign_out.begin(order)

    def add_token(
        self,
        name: str,
        *,
        uses: int | None = None,
        life_ms: int | None = None,
        scopes: tuple[str, ...] = USUAL_SCOPES,
        grants: tuple[str, ...] = USUAL_GRANTS,
    ) -> tuple[RegistrationToken, str]:
        """A new initial access token, and its text, shown this once. Raises InvalidRequest, Refused (the name is
        taken), Unavailable."""
        if not name or len(name) > 64 or not name.isprintable():
            raise InvalidRequest("A name has 1 to 64 characters.")
        now, text = self._clock.now(), self._random.token("iat")
        made = RegistrationToken(
            digest(text), name, now, None if life_ms is None else now + life_ms, uses, scopes, grants
        )
        if not self._tokens.add(made):
            raise Refused(f"There is an initial access token {name!r} already.")
        self._note_token(name, "added")
        return made, text

    def list_tokens(self) -> list[RegistrationToken]:
        """All of them, by name. Raises Unavailable."""
        return self._tokens.list_tokens()

    def remove_token(self, name: str) -> None:
        """Nobody registers with it any more; clients that did, stay. Raises Refused, Unavailable."""
        if not self._tokens.remove(name):
            raise Refused(f"There is no initial access token {name!r}.")
        self._note_token(name, "removed")

    def _permit(self, token: str, address: str) -> RegistrationToken:
        now = self._clock.now()
        if self.mode == OFF:
            raise Refused("Clients can't register themselves here.", code="access_denied")
        found = self._tokens.find(digest(token)) if token else None
        whom = f"token:{found.token_hash[:32]}" if found is not None else place_of(address)
        limit = Limit(f"register:{whom}", _FREE, SECOND, MINUTE, forget_ms=15 * MINUTE)
        if wait_ms := self._limits.begin((limit,), now):
            raise TooManyRequests(wait_ms)
        if found is None and not token and self.mode == OPEN:
            return RegistrationToken("", "", now)
        if found is None or not found.works(now):
            raise InvalidToken("The initial access token is unknown, used up or has expired.")
        return found

    def _checked(self, members: Mapping[str, Any], start: Client) -> Client:
        try:
            client = check_client(read(members, start, frontchannel=self._frontchannel))
            if client.metadata.sector_identifier_uri:
                check_sector(client, lambda url: self._documents.fetch(url, allow_private=client.allow_private))
            said = client.metadata
            logos = (said.logo_uri, *(uri for name, uri in said.localized if name.startswith("logo_uri#")))
            if hosts_of((self._policy.issuer,)) & hosts_of(logos):
                # People's browsers call it with this centre's cookies: nobody else says what is called here.
                raise InvalidRequest("logo_uri is not on this centre's own host.")
        except InvalidRequest as error:
            # RFC 7591 section 3.2.2 has codes of its own, and whoever checked knows only some of them.
            code = METADATA if error.code not in _CODES else error.code
            raise InvalidRequest(error.description, detail=error.detail, code=code) from error
        return client

    def _with_secret(self, client: Client) -> tuple[Client, str]:
        if not client.takes_secret:
            return replace(client, secrets=()), ""
        if client.secrets:
            return client, ""
        secret = self._random.token("cs")
        return replace(client, secrets=(ClientSecret(digest(secret)),)), secret

    def _note(self, client_id: str, change: str, actor: str) -> None:
        event = Event(
            self._clock.now(), EventKind.CLIENT_CHANGED, client_id=client_id, actor=actor, data={"change": change}
        )
        # It is done, and must be answered so: the answer has the only copy of its secrets.
        with contextlib.suppress(Unavailable):
            self._audit.append(event)

    def _note_token(self, name: str, change: str) -> None:
        data: dict[str, str | int | None] = {"change": change, "name": name}
        self._audit.append(Event(self._clock.now(), EventKind.REGISTRATION_TOKEN, actor="cli", data=data))


_CODES = (METADATA, "invalid_redirect_uri", "unapproved_software_statement")
