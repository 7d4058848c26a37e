"""`sso client test`: one logout call for a session that nobody has, and what the site answered.

It goes the way of the delivery worker's calls, with the same guards; the ledger hears nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import click

from sso_server.cli.centre import Centre, open_centre
from sso_server.core.logout_cures import NO_ADDRESS, cure
from sso_server.cli.output import Failed, json_option, length, print_fields, print_json
from sso_server.core import identifiers
from sso_server.core.clients import Client
from sso_server.core.notifications import Answer, Notification, State
from sso_server.core.policy import MINUTE


@dataclass(frozen=True, slots=True)
class _Trial:
    """What came of it."""

    answer: Answer
    took_ms: int
    cure: str

    @property
    def is_accepted(self) -> bool:
        """OpenID Connect Back-Channel Logout 1.0 section 2.8: 200, and whatever frameworks make of it."""
        return self.answer.status is not None and 200 <= self.answer.status < 300


@click.command("test")
@click.argument("client_id")
@json_option
def try_logout(client_id: str, as_json: bool) -> None:
    """Call a site's logout address and say what came of it.

    The token is for a session that nobody has: nobody is signed out. Exit code 1 if the site doesn't accept it.
    """
    with open_centre() as centre:
        client = centre.get_client(client_id)
        trial = _call(centre, client)
    if as_json:
        print_json(
            {
                "client_id": client_id,
                "logout_uri": client.backchannel_logout_uri or None,
                "accepted": trial.is_accepted,
                "status": trial.answer.status,
                "error": trial.answer.error,
                "took_ms": trial.took_ms,
                "store_id": trial.answer.store_id or None,
                "cure": trial.cure,
            }
        )
    else:
        store = trial.answer.store_id
        print_fields(
            [
                ("called at", client.backchannel_logout_uri or "-"),
                ("answer", trial.answer.error if trial.answer.status is None else str(trial.answer.status)),
                ("after", length(trial.took_ms) if client.backchannel_logout_uri else ""),
                ("store", f"{store} (the SDK answers)" if store else ""),
                ("cure", trial.cure),
            ]
        )
    if not trial.is_accepted:
        raise Failed(f"{client_id} did not accept the logout call.")
    if not as_json:
        click.echo(f"{client_id} accepts logout calls.")


def _call(centre: Centre, client: Client) -> _Trial:
    """The call itself. Raises Refused (unreadable key), Unavailable."""
    clock, randomness = centre.services.clock, centre.services.randomness
    begun = clock.now()
    answer = Answer(None, NO_ADDRESS)
    if client.backchannel_logout_uri:
        centre.signing_keys.ensure_keys()
        begun = clock.now()
        row = Notification(
            # Nobody has these: a receiver that looks for the session or for the person finds nobody to sign out.
            sid=randomness.identifier(identifiers.SESSION, randomness.bucket()),
            user_id=randomness.token(identifiers.USER),
            client_id=client.client_id,
            store_id="",
            kind=client.kind,
            logout_uri=client.backchannel_logout_uri,
            reason="test",
            ended_at=begun,
            local_until=begun + MINUTE,
            state=State.CLAIMED,
            attempt=1,
        )
        answer = centre.tell(row, client)
    took_ms = max(0, clock.now() - begun)
    has_sdk = bool(centre.check_in_store.find_site_stores(client.client_id))
    return _Trial(answer, took_ms, cure(answer, client.client_id, centre.settings.issuer, has_sdk=has_sdk))
