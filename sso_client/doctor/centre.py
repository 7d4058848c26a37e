"""What the centre says of itself and of this site: discovery, certificate, clock, secret, registration.

With another provider than ours some of it can't be asked; then that is what is said.
"""

import email.utils
from dataclasses import dataclass
from urllib.parse import urlencode

from sso_client.clock import Clock
from sso_client.discovery import Provider, read_provider
from sso_client.doctor.calls import Calls, is_distrust, why
from sso_client.doctor.findings import Finding, ok, problem, unknown, warning
from sso_client.errors import SSOError
from sso_client.http import Answer
from sso_client.settings import Settings

#: More than half of the leeway that most parties grant a token's times, and all of it.
SKEW_WARNING_MS = 30_000
SKEW_PROBLEM_MS = 60_000


@dataclass(frozen=True, slots=True)
class Registration:
    """What the centre answered about this client; `now_ms` lies between the two readings of our clock."""

    redirect_uri_registered: bool | None
    redirect_uris: tuple[str, ...]
    logout_uri: str | None
    delivery: str
    now_ms: int


def find_provider(calls: Calls, settings: Settings, clock: Clock) -> tuple[list[Finding], Provider | None]:
    """The centre's description of itself, judged; None if nothing can be built on it."""
    url = settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
    begun = clock.wall_ms()
    try:
        answer = calls.get(url)
    except SSOError as error:
        code = "tls_untrusted" if is_distrust(error) else "discovery_unreachable"
        return [problem("discovery", code, "no_answer", url=url, error=why(error))], None
    if answer.status != 200:
        code = "discovery_unreachable" if answer.status >= 500 else "discovery_invalid"
        return [problem("discovery", code, "status", url=url, status=answer.status)], None
    document = answer.json()
    try:
        provider = read_provider(document, settings)
    except SSOError as error:
        return [problem("discovery", error.code, "failed", detail=error.detail)], None
    how = "https" if url.startswith("https:") else "loopback"
    findings = [ok("discovery", f"discovery_{how}", issuer=provider.issuer), _of_keys(calls, provider)]
    if provider.check_in_endpoint is not None:
        findings.append(ok("sign-outs", "leases"))
    elif document.get("backchannel_logout_supported") is True:
        findings.append(ok("sign-outs", "told_only"))
    else:
        findings.append(problem("sign-outs", "push_unsupported", "not_told"))
    findings += of_date(answer, begun, clock.wall_ms()) if provider.client_test_endpoint is None else []
    return findings, provider


def ask_registration(
    calls: Calls, provider: Provider, clock: Clock, redirect_uri: str | None = None
) -> tuple[list[Finding], Registration | None]:
    """Whether the centre accepts this site's secret, and how it has registered it; None: nobody says."""
    if provider.client_test_endpoint is None:
        return [_of_made_up_code(calls, provider, redirect_uri or "")], None
    begun = clock.wall_ms()
    try:
        members = {"redirect_uri": redirect_uri, "call": False}
        answer = calls.post_json_as_client(provider.client_test_endpoint, members)
    except SSOError as error:
        return [problem("client", error.code, "no_answer", url=provider.client_test_endpoint, error=why(error))], None
    ended = clock.wall_ms()
    if answer.status == 401:
        return [problem("client", "client_refused", "status", url=provider.client_test_endpoint, status=401)], None
    registration = _read(answer)
    if registration is None:
        code = "provider_unavailable" if answer.status >= 500 else "answer_invalid"
        return [problem("client", code, "status", url=provider.client_test_endpoint, status=answer.status)], None
    return [ok("client", "client_accepted"), _of_skew(registration.now_ms, begun, ended, 0)], registration


def of_redirect_uri(provider: Provider, registration: Registration | None, redirect_uri: str) -> Finding:
    """Whether the centre will send people back there."""
    if provider.client_test_endpoint is None:
        return unknown("redirect URI", "redirect_uri_unasked", uri=redirect_uri)
    if registration is None:
        return unknown("redirect URI", "client_first")
    if registration.redirect_uri_registered:
        return ok("redirect URI", "redirect_uri_registered", uri=redirect_uri)
    known = ", ".join(registration.redirect_uris)
    return problem("redirect URI", "redirect_uri_mismatch", "redirect_uri_unknown", uri=redirect_uri, known=known)


def _read(answer: Answer) -> Registration | None:
    members = answer.json()
    match members:
        case {
            "now_ms": int(now_ms),
            "redirect_uri_registered": bool() | None as is_registered,
            "registered": {
                "redirect_uris": list(uris),
                "backchannel_logout_uri": str() | None as logout_uri,
                "delivery": str(delivery),
            },
        } if answer.status == 200:
            return Registration(is_registered, tuple(map(str, uris)), logout_uri, delivery, now_ms)
    return None


def _of_keys(calls: Calls, provider: Provider) -> Finding:
    try:
        answer = calls.get(provider.jwks_uri)
    except SSOError as error:
        return problem("keys", "provider_unreachable", "no_answer", url=provider.jwks_uri, error=why(error))
    keys = answer.json().get("keys")
    if answer.status != 200 or not isinstance(keys, list) or not keys:
        return problem("keys", "discovery_invalid", "status", url=provider.jwks_uri, status=answer.status)
    return ok("keys", "keys", count=len(keys))


def _of_made_up_code(calls: Calls, provider: Provider, redirect_uri: str) -> Finding:
    """RFC 6749 section 5.2: a client that authenticated hears `invalid_grant`, another one `invalid_client`."""
    form = {"grant_type": "authorization_code", "code": "made-up-by-the-doctor", "redirect_uri": redirect_uri}
    try:
        answer = calls.post_form_as_client(provider.token_endpoint, urlencode(form).encode())
    except SSOError as error:
        return problem("client", error.code, "no_answer", url=provider.token_endpoint, error=why(error))
    said = answer.json().get("error")
    if said == "invalid_grant":
        return ok("client", "client_accepted_by_token")
    if answer.status == 401 or said in ("invalid_client", "unauthorized_client"):
        return problem("client", "client_refused", "status", url=provider.token_endpoint, status=answer.status)
    return unknown("client", "client_unasked", status=answer.status)


def of_date(answer: Answer, begun: int, ended: int) -> list[Finding]:
    """Their clock against ours, by RFC 9110 section 6.6.1: `Date` has whole seconds."""
    try:
        date = email.utils.parsedate_to_datetime(answer.values("Date")[0])
        return [_of_skew(int(date.timestamp() * 1000), begun, ended, 1000)]
    except (IndexError, ValueError, TypeError, OverflowError, OSError):
        return [unknown("clock", "clock_unasked")]


def _of_skew(theirs: int, begun: int, ended: int, coarse_ms: int) -> Finding:
    """Their clock against ours: only what the time of the call itself can't explain counts."""
    ahead = max(theirs - ended, 0) or min(theirs + coarse_ms - begun, 0)
    if abs(ahead) <= SKEW_WARNING_MS:
        return ok("clock", "clock_near", seconds=abs(ahead) // 1000)
    seen = "clock_ahead" if ahead > 0 else "clock_behind"
    make = problem if abs(ahead) > SKEW_PROBLEM_MS else warning
    return make("clock", "clock_skew", seen, seconds=abs(ahead) // 1000)
