"""What a site asks at /cas/login (CAS 3.0.3 section 2.1.1) and its checks. Names count in their own case only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from flask import Request

from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest
from sso_server.core.records import record
from sso_server.fronts.cas.errors import ServiceUnknown
from sso_server.web.params import MAX_BODY, read_all

_FLAGS = ("renew", "gateway")


@record
class LoginRequest:
    """A request that has passed every check. No client: nobody asks, a person came by themselves."""

    service: str
    """As the site sent it; empty without one."""
    client: Client | None
    renew: bool
    gateway: bool
    by_post: bool
    """The ticket goes to the service in a form, not in its address."""

    @property
    def prompt(self) -> frozenset[str]:
        """The same wishes in the words of `core.sign_in`."""
        if self.renew:
            # Section 2.1.1: beside it `gateway` is ignored.
            return frozenset({"login"})
        return frozenset({"none"}) if self.gateway else frozenset()


def read_login(request: Request) -> dict[str, str]:
    """What of the query and of a posted form counts here, each once. Raises InvalidRequest, RequestEntityTooLarge."""
    is_form = request.method == "POST"
    if is_form:
        request.max_content_length = MAX_BODY
    query, form = read_all(request.args), read_all(request.form) if is_form else {}
    # A form often carries the service in its address; twice the same is one, two different ones are nobody's wish.
    if any(form[name] != query[name] for name in form.keys() & query.keys() & {"service", "method", *_FLAGS}):
        raise InvalidRequest("A parameter is repeated.", detail="query and form differ")
    given = query | form
    params = {name: given[name] for name in ("service", "method") if name in given}
    # Section 2.1.1 recommends "true" and binds nobody to it: what stands there is meant, unless it says "false".
    sent = request.values if is_form else request.args
    said = {name: sent[name] for name in _FLAGS if name in sent}
    return params | {name: "true" for name, value in said.items() if value.lower() != "false"}


def check(
    params: Mapping[str, str],
    *,
    find_by_service: Callable[[str], Client | None],
    all_clients: Callable[[], Iterable[Client]],
) -> LoginRequest:
    """The request. Raises ServiceUnknown before anything could be sent to the service."""
    service = params.get("service", "")
    client = find_by_service(service) if service else None
    if service and client is None:
        raise ServiceUnknown(service, all_clients())
    return LoginRequest(
        service=service,
        client=client,
        renew="renew" in params,
        # Section 2.1.1: without a service there is nobody to go back to.
        gateway="gateway" in params and bool(service),
        by_post=params.get("method", "").upper() == "POST",
    )
