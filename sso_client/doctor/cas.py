"""CAS: whether our centre speaks it, and what another CAS server says to a ticket that nobody was given."""

from urllib.parse import urlencode

from sso_client.cas_answers import NotValidated, read_validation
from sso_client.clock import Clock
from sso_client.discovery import Provider, cas_provider
from sso_client.doctor.calls import Calls, is_distrust, why
from sso_client.doctor.centre import of_date
from sso_client.doctor.findings import Finding, ok, problem, unknown
from sso_client.errors import SSOError
from sso_client.http import Answer
from sso_client.settings import Settings

_PATHS = ("/p3/serviceValidate", "/serviceValidate")
_NO_TICKET = "ST-made-up-by-the-doctor-00000000"


def of_protocol(settings: Settings, provider: Provider) -> list[Finding]:
    """Whether our centre speaks what the site speaks. Of OpenID Connect nothing is left to say."""
    if settings.protocol == "oidc":
        return []
    if provider.cas_server_url is None:
        return [problem("protocol", "cas_not_offered", "failed", detail="no cas_server_url in its discovery document")]
    return [ok("protocol", "speaks_cas", url=provider.cas_server_url)]


def find_cas_server(calls: Calls, settings: Settings, clock: Clock) -> tuple[list[Finding], Provider | None]:
    """The server as it answers a validation; None if nothing can be built on it."""
    server, service = settings.cas_url or "", f"{settings.base_url}/sso/callback"
    query, answer, url = urlencode({"service": service, "ticket": _NO_TICKET}), Answer(404, b""), server
    begun = clock.wall_ms()
    for path in _PATHS:
        url = server + path
        try:
            answer = calls.get(f"{url}?{query}")
        except SSOError as error:
            code = "tls_untrusted" if is_distrust(error) else "cas_unreachable"
            return [problem("validation", code, "no_answer", url=url, error=why(error))], None
        if answer.status != 404:
            break
    found = _of_answer(answer, url, service)
    if found.code in ("provider_unavailable", "cas_answer_invalid"):
        return [found], None
    clocks = of_date(answer, begun, clock.wall_ms())
    return [found, ok("sign-outs", "told_by_requests"), *clocks], cas_provider(server)


def _of_answer(answer: Answer, url: str, service: str) -> Finding:
    if answer.status != 200:
        code = "provider_unavailable" if answer.status >= 500 else "cas_answer_invalid"
        return problem("validation", code, "status", url=url, status=answer.status)
    try:
        read_validation(answer.body)
    except NotValidated as refusal:
        if refusal.code in ("INVALID_SERVICE", "UNAUTHORIZED_SERVICE"):
            return problem("validation", "redirect_uri_mismatch", "service_unknown", uri=service)
        if refusal.code != "INVALID_TICKET":
            said = "".join(c for c in refusal.code if c.isprintable())[:60]
            return unknown("validation", "refuses_otherwise", url=url, said=said)
        return ok("validation", "validates" if url.endswith(_PATHS[0]) else "validates_cas_2", url=url)
    except SSOError as error:
        return problem("validation", error.code, "failed", detail=error.detail)
    return problem("validation", "cas_answer_invalid", "validates_anything", url=url)
