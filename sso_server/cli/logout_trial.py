"""`sso client test`: the logout doctor's report about one site, on the terminal or as JSON.

The calls are `trial_calls`', what they mean is `delivery.diagnosis`', what to do about it `core.logout_cures`'.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import click

from sso_server.cli.centre import Centre, open_centre
from sso_server.cli.output import Failed, json_option, length, print_json
from sso_server.cli.trial_calls import CasTrialCalls, TrialCalls
from sso_server.core.clients import CAS, Client
from sso_server.core.logout_address import usual_address, usual_kind
from sso_server.core.logout_cures import NO_ADDRESS, ONLY_FOLDER, cure_of
from sso_server.core.policy import MINUTE
from sso_server.core.records import record
from sso_server.core.service_urls import is_prefix, matches
from sso_server.delivery.diagnosis import Call, Finding, Level
from sso_server.delivery.doctor import Doctor

#: A poller asks every few seconds or waits in a call for half a minute; one that is silent for this long has stopped.
_SILENT_MS = 5 * MINUTE
_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.BAD: "red"}


@record
class _Report:
    """What the doctor says."""

    client: Client
    issuer: str
    first: Call | None
    """None: there is nothing to call."""
    findings: list[Finding]

    @property
    def verdict(self) -> Level:
        """That of the worst finding."""
        levels = {finding.level for finding in self.findings}
        return next((level for level in (Level.BAD, Level.WARN) if level in levels), Level.OK)

    @property
    def cure(self) -> str:
        """Of the first thing to mend, what is bad before what is doubtful."""
        return next(
            (self.cure_of(f) for level in (Level.BAD, Level.WARN) for f in self.findings if f.level is level), ""
        )

    def cure_of(self, finding: Finding) -> str:
        """One line; empty when nothing is to be mended."""
        return cure_of(finding.code, self.client.client_id, self.issuer, kind=usual_kind(self.client))


@click.command("test")
@click.argument("client_id")
@click.option("--service", metavar="URL", default="", help="A CAS site's address that its tickets are for.")
@json_option
def try_logout(client_id: str, service: str, as_json: bool) -> None:
    """Call a site's logout address, and say what is wrong with it and what to do.

    The calls are for a session that nobody has: nobody is signed out. Exit code 1 if something has to be mended.
    """
    with open_centre() as centre:
        client = centre.get_client(client_id)
        report = _examine(centre, _at(service, client) if service else client)
    if as_json:
        print_json(_json(report))
    else:
        _print(report)
    if report.verdict is not Level.BAD:
        return
    if report.first is not None and report.first.is_accepted:
        raise Failed(f"{client_id} accepts logout calls, but not as it must.")
    if report.first is None:
        raise Failed(f"{client_id} can't be called.")
    if report.first.answer.status is None:
        raise Failed(f"The logout call got no answer from {client_id}.")
    raise Failed(f"{client_id} did not accept the logout call.")


def _at(service: str, client: Client) -> Client:
    """The client as it is called when a ticket for this service was validated."""
    if client.backchannel_logout_uri or usual_kind(client) != CAS:
        raise Failed(f"{client.client_id} is always called at one address: leave --service out.")
    if not any(matches(registered, service) for registered in client.cas_services):
        raise Failed(f"{service} is none of {client.client_id}'s services.")
    return replace(client, backchannel_logout_uri=service)


def _examine(centre: Centre, client: Client) -> _Report:
    """Raises Refused (unreadable key), Unavailable."""
    issuer = centre.settings.issuer
    if client.delivery == "poll":
        return _Report(client, issuer, None, [_of_poller(centre, client)])
    address = usual_address(client)
    if not address:
        return _Report(client, issuer, None, [Finding("registration", Level.BAD, "no logout address", NO_ADDRESS)])
    centre.signing_keys.ensure_keys()
    has_sdk = bool(centre.check_in_store.find_site_stores(client.client_id))
    with contextlib.closing(centre.sender()) as sender:
        by_ticket = usual_kind(client) == CAS
        doctor = Doctor(
            sender, centre.services.clock, allow_private=client.allow_private, has_sdk=has_sdk, by_ticket=by_ticket
        )
        calls = CasTrialCalls(centre, client) if by_ticket else TrialCalls(centre, client)
        first, findings = doctor.examine(address, calls)
    if not client.backchannel_logout_uri and is_prefix(address):
        findings = [_of_folder(finding) for finding in findings]
    return _Report(client, issuer, first, findings)


def _of_folder(answer: Finding) -> Finding:
    """Real calls go to the addresses below that tickets were for; what the one above them says proves nothing."""
    if answer.check != "answer" or answer.level is Level.OK:
        return answer
    return replace(answer, level=Level.WARN, code=ONLY_FOLDER)


def _of_poller(centre: Centre, client: Client) -> Finding:
    asked_at = centre.poll_store.last_poll_at(client.client_id)
    said = "it asks for its sign-outs (poll), there is nothing to call; "
    if asked_at is None:
        return Finding("registration", Level.WARN, said + "it has never asked", "asks_no_more")
    ago = max(0, centre.services.clock.now() - asked_at)
    said += f"it asked {length(ago)} ago"
    if ago > _SILENT_MS:
        return Finding("registration", Level.WARN, said, "asks_no_more")
    return Finding("registration", Level.OK, said)


def _json(report: _Report) -> dict[str, Any]:
    return {
        "client_id": report.client.client_id,
        "logout_uri": usual_address(report.client) or None,
        "delivery": report.client.delivery,
        "verdict": report.verdict.value,
        **_answer_json(report),
        "cure": report.cure,
        "checks": [
            {
                "check": finding.check,
                "level": finding.level.value,
                "code": finding.code,
                "said": finding.said,
                "cure": report.cure_of(finding),
            }
            for finding in report.findings
        ],
    }


def _answer_json(report: _Report) -> dict[str, Any]:
    """Of the first call, the good one."""
    if report.first is None:
        polls = report.client.delivery == "poll"
        accepted, error = (None, "") if polls else (False, NO_ADDRESS)
        return {"accepted": accepted, "status": None, "error": error, "took_ms": 0, "store_id": None}
    answer = report.first.answer
    return {
        "accepted": report.first.is_accepted,
        "status": answer.status,
        "error": answer.error,
        "took_ms": report.first.took_ms,
        "store_id": answer.store_id or None,
    }


def _print(report: _Report) -> None:
    width = max(len(finding.check) for finding in report.findings)
    for finding in report.findings:
        word = "-" if finding.level is Level.SKIPPED else finding.level.value
        mark = click.style(f"{word:<4}", fg=_COLOURS.get(finding.level), bold=finding.level is Level.BAD or None)
        click.echo(f"{mark}  {finding.check:<{width}}  {finding.said}")
        if cure := report.cure_of(finding):
            click.echo(click.style(f"{'':6}{'':{width}}  {cure}", fg=_COLOURS.get(finding.level)))
    if report.first is not None and report.first.is_accepted and report.verdict is not Level.BAD:
        click.echo(f"{report.client.client_id} accepts logout calls.")
