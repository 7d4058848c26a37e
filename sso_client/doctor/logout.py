"""Whether a logout call reaches the site and the right store: called from here, and by the centre on our request.

Calls from here carry no token, so that every worker answers 400 and names its store; those of the centre are real, for
a session that nobody has.
"""

from concurrent.futures import ThreadPoolExecutor

from sso_client.discovery import Provider
from sso_client.doctor.calls import Calls, why
from sso_client.doctor.centre import Registration
from sso_client.doctor.findings import Finding, ok, problem, unknown, warning
from sso_client.doctor.site import RunningSite
from sso_client.driving import drive
from sso_client.errors import SSOError
from sso_client.http import Answer
from sso_client.waiting import BlockingWaiting

#: So many answers of workers make it likely that each of a few has answered once.
PROBES = 24
_AT_ONCE = 8
CALLS_BACK = 3
_NO_TOKEN = b"logout_token=from-the-doctor"
_LONGEST_WAIT_S = 5


def probe_stores(calls: Calls, site: RunningSite, known_store: str | None) -> tuple[list[Finding], set[str]]:
    """Which stores the site's workers name, asked from here."""
    url = site.route("backchannel-logout")
    # Several at once: a server that hands each call to the worker that is free keeps giving them to the same one.
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        answers = list(threads.map(lambda _: _probe(calls, url), range(PROBES)))
    stores: set[str] = set()
    for answer in answers:
        if isinstance(answer, SSOError):
            return [problem("logout address", "site_unreachable", "no_answer", url=url, error=why(answer))], stores
        named = answer.values("Lockstep-Store")
        if not named:
            code = "routes_missing" if answer.status in (404, 405) else "routes_guarded"
            return [problem("logout address", code, "status", url=url, status=answer.status)], stores
        stores.add(named[0])
    return [ok("logout address", "answers_itself", url=url), *of_stores(stores, PROBES, known_store)], stores


def _probe(calls: Calls, url: str) -> Answer | SSOError:
    try:
        return calls.post_form(url, _NO_TOKEN)
    except SSOError as error:
        return error


def of_stores(stores: set[str], answers: int, known_store: str | None) -> list[Finding]:
    """One store behind all answers, and the one that these settings mean."""
    names = ", ".join(sorted(stores))
    if len(stores) > 1:
        return [
            problem("one store", "store_not_shared", "several_stores", count=len(stores), answers=answers, stores=names)
        ]
    findings = [ok("one store", "one_store", store=names, answers=answers)]
    if known_store is not None and known_store not in stores:
        findings.append(problem("same store", "store_differs", "other_store", theirs=names, ours=known_store))
    return findings


def call_back(calls: Calls, provider: Provider, registration: Registration | None, stores: set[str]) -> list[Finding]:
    """Have the centre call the registered address. `stores`: those that have answered from here."""
    if provider.client_test_endpoint is None:
        return [unknown("call back", "call_back_unasked")]
    if registration is None:
        return [unknown("call back", "client_first")]
    if registration.delivery == "poll":
        return [warning("call back", "logout_address_missing", "polls")]
    if registration.logout_uri is None:
        return [problem("call back", "logout_address_missing", "no_logout_address")]
    answered: set[str] = set()
    for _ in range(CALLS_BACK):
        finding, store = _one_call(calls, provider.client_test_endpoint, registration.logout_uri)
        if store is None:
            return [finding]
        answered.add(store)
    # Several that have answered from here were named before.
    if len(answered | stores) > 1 and len(stores) <= 1:
        theirs, ours = ", ".join(sorted(answered)), ", ".join(sorted(stores))
        return [finding, problem("one store", "store_not_shared", "stores_of_hosts", theirs=theirs, ours=ours)]
    return [finding]


def _one_call(calls: Calls, endpoint: str, uri: str) -> tuple[Finding, str | None]:
    """How one call went; the store that answered, None if it didn't go well."""
    try:
        answer = calls.post_json_as_client(endpoint, {})
        waited = next(iter(answer.values("Retry-After")), "")
        if answer.status == 429 and waited.isdigit() and int(waited) <= _LONGEST_WAIT_S:
            # Another site is being called, or this one a few times too often.
            drive(BlockingWaiting().pause(int(waited)))
            answer = calls.post_json_as_client(endpoint, {})
    except SSOError as error:
        return unknown("call back", "no_answer", url=endpoint, error=why(error)), None
    match answer.json():
        case {"called": True, "status": int(status), "store": str(store), "ms": int(ms)} if 200 <= status < 300:
            return ok("call back", "called_back", url=uri, ms=ms, store=store), store
        case {"called": True, "status": int(status)} if 200 <= status < 300:
            return problem("call back", "callback_not_ours", "status", url=uri, status=status), None
        case {"called": True, "status": int(status), "cure": str() | None as cure}:
            return _with(problem("call back", "callback_refused", "status", url=uri, status=status), cure), None
        case {"called": True, "problem": str(code), "cure": str() | None as cure}:
            return _with(problem("call back", "callback_unreachable", "not_reached", url=uri, problem=code), cure), None
    if answer.status == 429:
        return unknown("call back", "busy", seconds=waited), None
    return unknown("call back", "status", url=endpoint, status=answer.status), None


def _with(finding: Finding, cure: str | None) -> Finding:
    # One line of the centre's own; a site's answer never comes along in it.
    clean = "".join(c for c in cure or "" if c.isprintable())[:500]
    return Finding(finding.check, finding.level, finding.seen, finding.facts, finding.code, clean)
