"""One validation, whichever endpoint it came by: what was asked, the checks in order, what each refusal is called.

What a ticket is good for is `core.service_tickets`' business; how the answer looks, `responses`'.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from flask import Request
from werkzeug.exceptions import HTTPException

from sso_server.core.claims import attributes_for
from sso_server.core.clients import Client
from sso_server.core.errors import InvalidClient, InvalidGrant, InvalidRequest, LockstepError, Refused, Unavailable
from sso_server.core.identifiers import is_store_id
from sso_server.core.records import record
from sso_server.core.service_tickets import Validated
from sso_server.core.service_urls import normal_form
from sso_server.core.tickets import Refusal
from sso_server.core.users import User
from sso_server.fronts.cas.responses import About, allowed
from sso_server.web.client_auth import authenticate
from sso_server.web.params import MAX_BODY, read_all
from sso_server.web.services import services

INVALID_REQUEST, INVALID_SERVICE, INVALID_TICKET = "INVALID_REQUEST", "INVALID_SERVICE", "INVALID_TICKET"
UNAUTHORIZED_SERVICE, INTERNAL_ERROR = "UNAUTHORIZED_SERVICE", "INTERNAL_ERROR"
#: Section 2.5.3. What isn't here is INVALID_TICKET: unknown, spent, expired, of a session that is over.
_REFUSALS = {
    Refusal.OTHER_CLIENT: (INVALID_SERVICE, "The ticket was issued for another service."),
    Refusal.REDIRECT_URI: (INVALID_SERVICE, "The ticket was issued for another service."),
    Refusal.SERVICE: (INVALID_SERVICE, "No such service is registered."),
    Refusal.PROXY: ("INVALID_TICKET_SPEC", "This is a proxy ticket, and proxy tickets are not accepted here."),
    Refusal.NO_PROXY: ("UNAUTHORIZED_SERVICE_PROXY", "The service may not have proxy tickets by this address."),
    Refusal.CALLBACK: ("INVALID_PROXY_CALLBACK", "The proxy callback is not https, or didn't answer with 200."),
    Refusal.NOT_FRESH: (INVALID_TICKET, "The ticket came from a session, not from a password typed for it."),
    Refusal.USED: (INVALID_TICKET, "The ticket was validated before."),
    Refusal.EXPIRED: (INVALID_TICKET, "The ticket has expired."),
    Refusal.SESSION_ENDED: (INVALID_TICKET, "The session is over."),
    Refusal.TOO_MANY_STORES: (INVALID_TICKET, "The service has too many local sessions in this session."),
}
_log = structlog.get_logger("sso_server.cas")


@record
class Asked:
    """One validation as it was asked for."""

    service: str
    ticket: str
    renew: bool = False
    callback: str = ""
    store_id: str = ""
    authorization: str | None = None


@record
class Found:
    """A ticket that was good, and what its service may know."""

    validated: Validated
    user: User
    attributes: dict[str, list[str]]
    iou: str

    @property
    def about(self) -> About:
        """What CAS 3 says of the sign-in."""
        session = self.validated.session
        return About(self.validated.ticket.auth_time, session.remembered, self.validated.fresh)


def read_values(request: Request) -> dict[str, str]:
    """Every parameter, from the address and from a form, once. Raises InvalidRequest."""
    if request.method != "POST":
        return read_all(request.args)
    request.max_content_length = MAX_BODY
    try:
        return read_all(request.values)
    except HTTPException as error:
        raise InvalidRequest("The request is too large.") from error


def read_asked(request: Request, values: Mapping[str, str]) -> Asked:
    """The question (section 2.5.1); names of parameters are case-sensitive. Raises InvalidRequest."""
    missing = [name for name in ("service", "ticket") if name not in values]
    if missing:
        raise InvalidRequest(f"{' and '.join(missing)}: required, and not there.")
    return Asked(
        values["service"],
        values["ticket"],
        is_set(values, "renew"),
        values.get("pgtUrl", ""),
        values.get("store_id", ""),
        request.headers.get("Authorization"),
    )


def is_set(values: Mapping[str, str], name: str) -> bool:
    """Section 2.1.1 recommends `true`; whoever sends something else but `false` wants it, too."""
    return values.get(name, "false").lower() != "false"


def validate(asked: Asked, *, proxies_allowed: bool) -> Found:
    """Spend the ticket, and who it was for. From the first check on the ticket is spent, whatever comes of it: it is
    good for one attempt (section 3.1.1). Raises InvalidRequest, InvalidGrant, Unavailable."""
    here = services()
    client = here.clients.find_by_service(asked.service)
    if client is None:
        raise here.service_tickets.spend(asked.ticket, Refusal.SERVICE, "", asked.service)
    structlog.contextvars.bind_contextvars(client_id=client.client_id)
    _check_sender(asked, client)
    validated, iou = _redeem(asked, client, proxies_allowed=proxies_allowed)
    user = here.people.find(validated.ticket.user_id)
    if user is None or user.disabled_at is not None:
        # The end of the sessions may still be on its way.
        raise InvalidGrant(Refusal.SESSION_ENDED.value)
    if allowed(user.username) != user.username:
        # Without the character it is another person's name; accounts from before `check_username` minded have some.
        raise Refused("This person's user name has a character that XML has no form for.")
    _log.info("service_ticket_validated", sid=validated.session.sid, proxied=bool(validated.proxies))
    sub = here.subjects.of(client, user.user_id)
    attributes = attributes_for(user, client, sub)
    if asked.store_id:
        attributes |= _for_our_sdk(validated, sub)
    return Found(validated, user, attributes, iou)


def failure_of(error: LockstepError) -> tuple[str, str]:
    """The code and the words for it (section 2.5.3)."""
    if isinstance(error, InvalidGrant):
        return _REFUSALS.get(Refusal(error.description), (INVALID_TICKET, "There is no such ticket."))
    if isinstance(error, (InvalidRequest, InvalidClient)):
        return INVALID_REQUEST, error.description
    if isinstance(error, Unavailable):
        return INTERNAL_ERROR, error.description
    return INTERNAL_ERROR, "That was this service's fault."


def _check_sender(asked: Asked, client: Client) -> None:
    """A site that has a secret (one with our SDK) proves that it is the one that asks, and names its store; any other
    names none."""
    problem, detail = "", ""
    if client.has_secret and asked.authorization is None:
        problem = "This service's client has a secret: validate with HTTP Basic."
    elif client.has_secret:
        try:
            sender = authenticate(asked.authorization, {}, services().clients, services().clock.now())
            problem = "" if sender.client_id == client.client_id else "The service belongs to another client."
        except (InvalidClient, InvalidRequest) as error:
            problem, detail = "Client authentication failed.", error.detail
    elif asked.store_id:
        problem = "Only a client that proves who it is has stores that check in."
    if not problem and (asked.store_id or client.has_secret) and not is_store_id(asked.store_id):
        # Without one it would be told by a logout request, where the SDK listens for something else.
        problem = (
            "store_id is not a store id." if asked.store_id else "A site with a secret names its store (store_id)."
        )
    if problem:
        services().service_tickets.spend(asked.ticket, Refusal.UNPROVEN, client.client_id)
        raise InvalidRequest(problem, detail=detail)


def _redeem(asked: Asked, client: Client, *, proxies_allowed: bool) -> tuple[Validated, str]:
    service = normal_form(asked.service)
    if asked.callback:
        return services().proxy_granting.validate(
            asked.ticket,
            client,
            asked.callback,
            service=service,
            renew=asked.renew,
            proxies_allowed=proxies_allowed,
            store_id=asked.store_id,
        )
    validated = services().service_tickets.validate(
        asked.ticket,
        client,
        service=service,
        address=service,
        renew=asked.renew,
        proxies_allowed=proxies_allowed,
        store_id=asked.store_id,
    )
    return validated, ""


def _for_our_sdk(validated: Validated, sub: str) -> dict[str, list[str]]:
    """What it needs for the lease, under the names that the answer of /token has."""
    left_ms = validated.session_expires_at - services().clock.now()
    return {
        "sub": [sub],
        "sid": [validated.session.sid],
        "session_expires_in": [str(max(0, left_ms) // 1000)],
        "auth_time_ms": [str(validated.ticket.auth_time)],
    }
