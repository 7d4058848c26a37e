"""What to do about a site that doesn't take logout calls as it must: one English line for each stable code.

The codes of the ledger (`timeout`, `http_404`), and the finer ones of the logout doctor. `{client}` and `{issuer}` are
filled in by `cure_of`.
"""

from __future__ import annotations

from sso_server.core.clients import CAS, OIDC
from sso_server.core.notifications import Answer

NO_ADDRESS, ONLY_FOLDER = "no_address", "only_folder"

_UPDATE = "sso client update {client}"
_REDIRECT = "It sends the caller elsewhere, and the centre follows no redirects: register the final address."
_OTHER = "An answer that the standard doesn't foresee: the site's own log may say why."
_SWITCH_ON = (
    "let its CAS client take single logout (mod_auth_cas: CASSSOEnabled On; phpCAS: handleLogoutRequests()) before "
    "anything else asks for a sign-in"
)
_CURES = {
    NO_ADDRESS: f"It has no logout address. Give it one: {_UPDATE} --backchannel-logout-uri URI",
    "asks_no_more": "It should ask for its sign-outs, and doesn't: is its poller running, is its secret valid?",
    "url_forbidden": f"Its logout address is no plain http(s) URL. Give it one: {_UPDATE} --backchannel-logout-uri URI",
    "dns": "This machine finds no address for that host name: look for a typing error, then at the DNS here.",
    "address_forbidden": "The centre may not call there: loopback (unless the centre itself is on loopback), a range "
    f"that is never called, or a private network (for a site of yours there: {_UPDATE} --allow-private).",
    "http_forbidden": "Outside loopback a logout call goes over https: give it such an address. In a private network "
    f"of yours http is possible: {_UPDATE} --allow-private",
    "connect": "Nobody takes the connection: is the site running, is the port right, does a firewall refuse it?",
    "timeout": "No answer in time (2 s to connect, 5 s in all): a firewall that drops packets, or a slow site.",
    "reset": "It hung up without an answer: http where it speaks https (or the reverse), or a proxy that cuts it off.",
    "protocol": "The answer is no HTTP, or far too long: does something else listen on that port?",
    "tls": "No TLS came about: is that port one for https, and does it speak TLS 1.2 or newer?",
    "certificate_expired": "Its certificate has run out: renew it, and see to it that it renews itself.",
    "certificate_not_yet_valid": "Its certificate isn't valid yet: is this machine's clock right?",
    "certificate_name": "Its certificate is for another name: register the address under a name that it is for.",
    "certificate_untrusted": "Its certificate is self-signed, from an authority that is not trusted here, or sent "
    "without those in between. Let the site send its whole chain; an authority of your own belongs into the "
    "trust store of this machine (or SSL_CERT_FILE names it).",
    "certificate_expires_soon": "Its certificate runs out soon: renew it, and see to it that it renews itself.",
    "redirect": _REDIRECT,
    "sent_on": "It sends the call on to another page, as CAS clients do that have read it and sites that haven't; the "
    f"centre takes it for told. Sign out once and look: if somebody stays signed in there, {_SWITCH_ON}.",
    "redirect_to_https": "It sends the caller from http to https, and the centre follows no redirects: register the "
    "https address.",
    "redirect_to_login": "It sends the caller to a login page: exempt the logout address from the site's login. The "
    "signed token is the proof.",
    "http_400": "It refuses the token. Compare: issuer ({issuer}), audience ({client}), the clocks, and the keys "
    "that check the signature ({issuer}/jwks.json).",
    "json_only": "It takes JSON only. The standard prescribes a form (application/x-www-form-urlencoded) with the one "
    "field logout_token: let the site read that.",
    "csrf": "Its protection against forged forms refuses the call: exempt the logout address from it. No browser sends "
    "this call; the signed token is the proof.",
    "http_401": "It asks for credentials: exempt the logout address from the site's login. The signed token is the "
    "proof.",
    "http_403": "It forbids the call: exempt the logout address from CSRF checks, from the login and from address "
    "filters.",
    "http_404": "Nothing is there: compare the path with the site's own (with the SDK: /sso/backchannel-logout).",
    "http_405": "It takes no POST there: register the back-channel logout address, not a page.",
    "http_408": "It waited too long for the call: look for a proxy between here and there that holds requests back.",
    "http_410": "Nothing is there any more: register the site's present logout address.",
    "http_413": "It finds the call too large: let it take a form of 16 KiB there.",
    "http_415": "It doesn't take a form (application/x-www-form-urlencoded), which the standard prescribes.",
    "http_429": "It takes too few calls from here: exempt the centre from its rate limit.",
    "site_failed": "The site failed itself: its own log says why.",
    "sdk_failed": "The SDK could not check the token: does the site reach the centre at {issuer}? Its log says more.",
    "no_store": "Accepted, but its answer names no store, though the site has the SDK: something in front of the site "
    "answers for it or drops the header Lockstep-Store. Its store hears of a sign-out only when it checks in.",
    "slow": "It answers slowly: end the local session first and do the rest later. After 5 s the centre hangs up and "
    "calls again.",
    "clock_ahead": "Its clock is ahead: it takes tokens, which live for two minutes, for expired ones. Let it keep "
    "time (NTP).",
    "clock_behind": "Its clock is behind: it takes tokens for ones from the future. Let it keep time (NTP).",
    "accepts_forged": "DANGEROUS: anybody can sign people out there. It must check the signature by {issuer}/jwks.json "
    "and take no other algorithm than the client's.",
    "answers_anything": "A page answers 200 to whatever is sent, so that nothing is ended: is the path right, does the "
    "site route it to its receiver?",
    "accepts_foreign": "It takes tokens that are meant for another site: it must compare `aud` with {client}.",
    "accepts_expired": "It takes expired tokens: it must compare `exp` with its clock.",
    "forged_breaks": "A bad token must be answered with 400; this looks like a failure of the site, and would be "
    "repeated as one.",
    "refuses_repeat": "It refuses a second call for the same session. A call is repeated when its answer got lost: an "
    "unknown session is no error, answer 200.",
}

_OTHER_ADDRESS = f"or give the call an address of its own: {_UPDATE} --cas-logout-uri URI"
_CAS_REDIRECT = f"It sends the call elsewhere instead of reading it: {_SWITCH_ON}; {_OTHER_ADDRESS}"
#: Where a CAS site needs another word: its call has no signature, and goes to the service itself unless told otherwise.
_CAS_CURES = {
    ONLY_FOLDER: "That is only the beginning of its addresses; it is called at those that its tickets were for. Name "
    "one: sso client test {client} --service URL",
    "url_forbidden": f"Its logout address is no plain http(s) URL. Give it one: {_UPDATE} --cas-logout-uri URI",
    "redirect": _CAS_REDIRECT,
    "redirect_to_https": f"It sends the call from http to https, and the centre follows no redirects: register the "
    f"service under https, {_OTHER_ADDRESS}",
    "redirect_to_login": f"It sends the call to a sign-in page: {_SWITCH_ON}; {_OTHER_ADDRESS}",
    "http_400": "It doesn't understand the call, a form with the one field logoutRequest (CAS 3.0.3 section 2.3.3): "
    f"{_SWITCH_ON}.",
    "csrf": "Its protection against forged forms refuses the call: exempt the address where its CAS client takes "
    "logoutRequest. No browser sends this call, and the ticket in it is all the proof that CAS knows.",
    "http_401": f"It asks for credentials: {_SWITCH_ON}.",
    "http_403": "It forbids the call: exempt the address from CSRF checks, from the login and from address filters.",
    "http_404": f"Nothing takes the call there: compare the path with the site's own, {_OTHER_ADDRESS}",
    "http_405": f"It takes no POST there: {_SWITCH_ON}, {_OTHER_ADDRESS}",
    "http_415": "It doesn't take a form (application/x-www-form-urlencoded), which CAS 3.0.3 section 2.3.3 prescribes.",
    "refuses_repeat": "It refuses a second call for the same ticket. A call is repeated when its answer got lost: an "
    "unknown ticket is no error, answer 200.",
}


def cure_of(code: str, client_id: str, issuer: str, *, kind: str = OIDC) -> str:
    """One line; empty for the empty code. Unknown codes get a line that fits them all. `kind`: of the call."""
    if not code:
        return ""
    redirect = _REDIRECT
    cures = _CURES
    if kind == CAS:
        redirect, cures = _CAS_REDIRECT, {**_CURES, **_CAS_CURES}
    line = cures.get(code, redirect if code.startswith("http_3") else _OTHER)
    return line.format(client=client_id, issuer=issuer)


def code_of(answer: Answer, *, has_sdk: bool) -> str:
    """What is wrong with an answer; empty when there is nothing to mend. `has_sdk`: a store of the site checked in."""
    status = answer.status
    if status is None:
        return answer.error or "other"
    if 200 <= status < 300:
        return "no_store" if has_sdk and not answer.store_id else ""
    if status >= 500:
        # Only the SDK names a store, and it answers 503 while it can't ask for our keys.
        return "sdk_failed" if answer.store_id else "site_failed"
    return "redirect" if status < 400 else f"http_{status}"
