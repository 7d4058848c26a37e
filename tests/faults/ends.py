"""Carries out the ends of sessions that were put in place through the ports, each in the way of its reason."""

import contextlib
import dataclasses

from sso_server.core.errors import InvalidGrant
from sso_server.core.identifiers import digest
from sso_server.core.policy import DAY, MINUTE
from sso_server.core.sessions import EndReason
from sso_server.core.tokens import Tokens
from tests.faults.plan import ORDERS, Planned
from tests.faults.seeding import now_ms, repeat
from tests.faults.world import World
from tests.support.builders import bucket, identifier


class _Earlier:
    """`ports.Clock`: two minutes ago, when the stolen refresh token was used for the first time."""

    def now(self) -> int:
        return now_ms() - 2 * MINUTE


def carry_out(world: World, group: list[Planned]) -> None:
    """End it (or, by an order, all of a person's). Whoever asked is answered when this returns."""
    first = group[0]
    for planned in group:
        # The first time counts: an answer may get lost although the work was done.
        planned.began_at = planned.began_at or now_ms()
    if first.reason in ORDERS:
        _order(world, first)
    else:
        {
            "administrator": _administrator,
            "replaced": _replaced,
            "site_sign_out": _at_a_site,
            "token_reuse": _token_reuse,
        }[first.reason](world, first)
    for planned in group:
        planned.answered_at = now_ms()


def _administrator(world: World, planned: Planned) -> None:
    world.built.services.sign_out.end(planned.sid, EndReason.ADMINISTRATOR, actor="suite")


def _replaced(world: World, planned: Planned) -> None:
    """Somebody else signs in in the same browser."""
    stores = world.built.session_stores
    was = stores.sessions.find(planned.sid)
    assert was is not None
    now = now_ms()
    candidate = dataclasses.replace(
        was,
        sid=identifier("sid", bucket(planned.sid)),
        cookie_hash=digest(identifier("ck", bucket(planned.sid))),
        user_id="usr-pattern",
        created_at=now,
        auth_time=now,
        last_active_at=now,
        absolute_until=now + DAY,
    )
    opened = stores.sessions.open(candidate, now, 0, shown=was.cookie_hash)
    assert opened is not None
    if opened.replaced is not None:
        world.built.services.sign_out.announce_replaced(opened.replaced)


def _at_a_site(world: World, planned: Planned) -> None:
    hosts = [host for name, host in world.hosts.items() if host.kind.sdk and name in planned.cookies]
    if not hosts:
        _administrator(world, planned)
        return
    host = hosts[planned.number % len(hosts)]
    repeat(lambda: host.ask("/sign-out", {"cookie": planned.cookies[host.name]}))


def _token_reuse(world: World, planned: Planned) -> None:
    """A refresh token is used twice, long after each other: one of the two who did so has stolen it."""
    services, stores = world.built.services, world.built.session_stores
    client = world.client(planned.refresh_client)
    long_ago = Tokens(
        stores.tokens,
        stores.grants,
        services.sign_out,
        world.built.sql.audit,
        services.signer,
        _Earlier(),
        services.randomness,
        services.policy,
    )
    for tokens in (long_ago, services.tokens):
        # The second is refused; the first, too, if it is repeated because the answer to all of it got lost.
        with contextlib.suppress(InvalidGrant):
            tokens.refresh(planned.refresh_token, client, None)
    found = stores.sessions.find(planned.sid)
    assert found is not None
    assert found.ended_at is not None, f"{planned.sid} lives although its refresh token came back"


def _order(world: World, planned: Planned) -> None:
    """Half of the orders are written by a process that dies right after: the delivery process finds them."""
    accounts, users = world.built.services.accounts, world.built.sql.users
    user = users.find(f"usr-{planned.user}")
    assert user is not None
    if planned.number % 2:
        reason = EndReason(planned.reason)
        order = world.built.services.sign_out.order_for_user(
            user.user_id, user.version + 1, reason, keep_sid="", revoke_grants=True
        )
        changed = dataclasses.replace(user, disabled_at=now_ms()) if planned.reason == "account_disabled" else user
        assert users.update(changed, order)
    elif planned.reason == "sign_out_everywhere":
        accounts.sign_out_everywhere(user.user_id, keep_sid="", reason=EndReason.SIGN_OUT_EVERYWHERE, actor="suite")
    elif planned.reason == "account_disabled":
        accounts.disable(user.username, actor="suite")
    else:
        accounts.set_password(user.username, "a new correct horse battery", actor="suite")
