"""What the running site does when a browser comes to sign in: where it sends it, with which cookie, and what it lets
caches keep.
"""

from dataclasses import dataclass
from http.cookies import CookieError, Morsel, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from sso_client.addresses import is_loopback, origin_of
from sso_client.cookies import cookie_names
from sso_client.discovery import Provider
from sso_client.doctor.calls import Calls, why
from sso_client.doctor.findings import Finding, ok, problem, unknown, warning
from sso_client.error_texts import TEXTS
from sso_client.errors import SSOError
from sso_client.http import Answer
from sso_client.settings import Settings

#: Browsers drop a cookie whose name and value have more than 4096 bytes together (RFC 6265bis section 5.6).
MOST_COOKIE_BYTES = 4096
_MUCH_COOKIE_BYTES = 3500


@dataclass(frozen=True, slots=True)
class RunningSite:
    """Where the site is looked for: `url` without a trailing slash, `prefix` as mounted."""

    url: str
    prefix: str = "/sso"

    def route(self, name: str) -> str:
        """The address of one of the SDK's routes."""
        return f"{self.url}{self.prefix}/{name}"


@dataclass(frozen=True, slots=True)
class _Sent:
    """What the browser takes along to the centre. CAS names no client."""

    client_id: str | None
    redirect_uri: str
    state: str


def look_at_sign_in(
    calls: Calls, settings: Settings, provider: Provider | None, site: RunningSite
) -> tuple[list[Finding], str | None]:
    """What was found, and the redirect_uri that the site sends; None if it sends nobody to the centre."""
    url = site.route("login")
    try:
        answer = calls.get(url)
        if "moved=1" in _location(answer) and urlsplit(_location(answer)).path == urlsplit(url).path:
            # It wants browsers at SSO_BASE_URL, and says so once; what it does there it does here as well.
            answer = calls.get(f"{url}?moved=1")
    except SSOError as error:
        return [problem("site", "site_unreachable", "no_answer", url=url, error=why(error))], None
    location = _location(answer)
    if not 300 <= answer.status < 400:
        return [_of_no_redirect(answer, url)], None
    sent = _read_sent(location)
    if sent is None:
        return [problem("site", "routes_guarded", "redirects", url=url, to=_short(location))], None
    findings = [_of_target(location, sent.client_id, settings, provider)]
    findings.append(_of_redirect(sent.redirect_uri, settings, site))
    findings += _of_cookie(answer, sent.state, sent.redirect_uri, settings)
    return findings, sent.redirect_uri


def look_at_me(calls: Calls, site: RunningSite) -> Finding:
    """The route that pages ask whether somebody is signed in."""
    url = site.route("me")
    try:
        answer = calls.get(url)
    except SSOError as error:
        return problem("who is it", "site_unreachable", "no_answer", url=url, error=why(error))
    if 300 <= answer.status < 400:
        return problem("who is it", "routes_guarded", "redirects", url=url, to=_short(_location(answer)))
    if answer.status != 200 or not isinstance(answer.json().get("signed_in"), bool):
        return problem("who is it", _code_of(answer), "status", url=url, status=answer.status)
    kept = ", ".join(answer.values("Cache-Control"))
    if "no-store" not in kept.lower():
        return problem("who is it", "answer_cached", "cache_control", url=url, value=kept or "-")
    return ok("who is it", "me", url=url)


def _read_sent(location: str) -> _Sent | None:
    query = _first_values(location)
    if {"client_id", "redirect_uri", "state"} <= query.keys():
        return _Sent(query["client_id"], query["redirect_uri"], query["state"])
    service = query.get("service", "")
    state = _first_values(service).get("state")
    return None if state is None else _Sent(None, service.partition("?")[0], state)


def _first_values(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def _of_no_redirect(answer: Answer, url: str) -> Finding:
    code = _code_of(answer)
    if code == "proxy_headers_missing" or (code == "cookie_insecure" and url.startswith("https:")):
        # The site refuses plain http, and yet it was asked over https: whatever ends TLS doesn't tell it.
        return problem("site", "proxy_headers_missing", "thinks_http", url=url)
    return problem("site", code, "status", url=url, status=answer.status)


def _code_of(answer: Answer) -> str:
    """What the SDK itself said, if it was the SDK that answered."""
    said = answer.json().get("error")
    if isinstance(said, str) and said in TEXTS:
        return said
    if answer.status == 404:
        return "routes_missing"
    return "site_unreachable" if answer.status >= 500 else "routes_guarded"


def _of_target(location: str, client_id: str | None, settings: Settings, provider: Provider | None) -> Finding:
    target = location.partition("?")[0]
    if client_id is not None and client_id != settings.client_id:
        return problem("site", "settings_differ", "other_client", theirs=client_id, ours=settings.client_id)
    if provider is not None and target != sign_in_page(provider, settings).partition("?")[0]:
        return problem("site", "settings_differ", "other_centre", theirs=_short(target), ours=settings.issuer)
    return ok("site", "sends_to_centre", target=_short(target))


def sign_in_page(provider: Provider, settings: Settings) -> str:
    """Where a site with these settings sends people."""
    return provider.authorization_endpoint if settings.protocol == "oidc" else f"{provider.cas_server_url}/login"


def _of_redirect(redirect_uri: str, settings: Settings, site: RunningSite) -> Finding:
    """Where the person will come back to, against the address that people type."""
    expected = origin_of(settings.base_url or site.url) or ""
    found = origin_of(redirect_uri) or ""
    if found == expected:
        return ok("address", "comes_back", uri=redirect_uri)
    same_host = urlsplit(found).hostname == urlsplit(expected).hostname
    if same_host and found.startswith("http:") and expected.startswith("https:"):
        return problem("address", "proxy_headers_missing", "comes_back_elsewhere", uri=redirect_uri, expected=expected)
    if settings.base_url is None and not is_loopback(urlsplit(expected).netloc):
        # The name that people type didn't come through either: Host was replaced on the way.
        return problem("address", "proxy_headers_missing", "comes_back_elsewhere", uri=redirect_uri, expected=expected)
    return problem("address", "redirect_uri_mismatch", "comes_back_elsewhere", uri=redirect_uri, expected=expected)


def _of_cookie(answer: Answer, state: str, redirect_uri: str, settings: Settings) -> list[Finding]:
    """The cookie of the sign-in that was just begun; without it nobody comes back signed in."""
    try:
        names = cookie_names(settings.client_id, origin_of(redirect_uri) or "")
    except SSOError as error:
        return [problem("cookie", error.code, "failed", detail=error.detail)]
    name = names.attempt(state)
    morsel = next((found for text in answer.values("Set-Cookie") if (found := _morsel(text, name)) is not None), None)
    if morsel is None:
        return [problem("cookie", "cookie_stripped", "no_cookie", name=name)]
    size = len(morsel.key) + len(morsel.coded_value)
    findings = [_of_flags(morsel, secure=names.secure)]
    if size > MOST_COOKIE_BYTES:
        findings.append(problem("cookie size", "cookie_too_large", "cookie_size", size=size))
    elif size > _MUCH_COOKIE_BYTES:
        findings.append(warning("cookie size", "cookie_too_large", "cookie_size", size=size))
    else:
        findings.append(ok("cookie size", "cookie_size", size=size))
    return findings


def _of_flags(morsel: "Morsel[str]", *, secure: bool) -> Finding:
    """RFC 6265bis: what keeps the cookie from scripts, plain http and neighbours, and what lets it come back."""
    same_site = morsel["samesite"].lower()
    wrong = [
        words
        for words, is_wrong in (
            ("Secure", secure and not morsel["secure"]),
            ("HttpOnly", not morsel["httponly"]),
            # Strict would keep it at home when the browser comes back from the centre.
            (f"SameSite={same_site or '-'}", same_site != "lax"),
            (f"Path={morsel['path']}", morsel["path"] != "/"),
            (f"Domain={morsel['domain']}", bool(morsel["domain"])),
        )
        if is_wrong
    ]
    if wrong:
        return problem("cookie", "cookie_unprotected", "cookie_flags", name=morsel.key, flags=", ".join(wrong))
    return ok("cookie", "cookie_good" if secure else "cookie_plain", name=morsel.key)


def _morsel(text: str, name: str) -> "Morsel[str] | None":
    try:
        return SimpleCookie(text).get(name)
    except CookieError:
        return None


def _location(answer: Answer) -> str:
    return next(iter(answer.values("Location")), "")


def _short(text: str) -> str:
    """An address without its query, which may hold what is nobody's business, fit for one line."""
    clean = "".join(c for c in text.partition("?")[0] if c.isprintable())
    return clean[:200] or "-"


def skipped_site() -> Finding:
    """Nobody said where the site is."""
    return unknown("site", "site_unasked")
