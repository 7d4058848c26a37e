"""What to do about a site that doesn't take a logout call: one line for each way it can fail."""

from __future__ import annotations

from sso_server.core.notifications import Answer

NO_ADDRESS = "no_address"

_UPDATE = "sso client update {client}"
_OF_ERROR = {
    NO_ADDRESS: f"It has no logout address. Give it one: {_UPDATE} --backchannel-logout-uri URI",
    "dns": "This machine finds no address for that host name: look for a typing error, then at the DNS here.",
    "connect": "Nobody takes the connection: is the site running, is the port right, does a firewall refuse it?",
    "timeout": "No answer in time (2 s to connect, 5 s in all): a firewall that drops packets, or a slow site.",
    "tls": "Its certificate doesn't hold here: expired, for another name, or from an authority not trusted.",
    "reset": "It hung up without an answer: http where it speaks https (or the reverse), or a proxy that cuts it off.",
    "protocol": "The answer is no HTTP, or far too long: does something else listen on that port?",
    "address_forbidden": "The centre may not call there: loopback (unless the centre itself is on loopback), a range "
    f"that is never called, or a private network (for a site of yours there: {_UPDATE} --allow-private).",
    "http_forbidden": "Outside loopback a logout call goes over https: give it such an address. In a private network "
    f"of yours http is possible: {_UPDATE} --allow-private",
    "url_forbidden": f"Its logout address is no plain http(s) URL. Give it one: {_UPDATE} --backchannel-logout-uri URI",
}
_OF_STATUS = {
    400: "It refuses the token. Compare: issuer ({issuer}), audience ({client}), the clocks, and the keys "
    "that check the signature ({issuer}/jwks.json).",
    401: "It asks for credentials: exempt the logout address from the site's login. The signed token is the proof.",
    403: "It forbids the call: exempt the logout address from CSRF checks, from the login and from address filters.",
    404: "Nothing is there: compare the path with the site's own (with the SDK: /sso/backchannel-logout).",
    405: "It takes no POST there: register the back-channel logout address, not a page.",
    408: "It waited too long for the call: look for a proxy between here and there that holds requests back.",
    410: "Nothing is there any more: register the site's present logout address.",
    413: "It finds the call too large: let it take a form of 16 KiB there.",
    415: "It doesn't take a form (application/x-www-form-urlencoded), which the standard prescribes for this call.",
    429: "It takes too few calls from here: exempt the centre from its rate limit.",
}
_REDIRECT = "It sends the caller elsewhere, and the centre follows no redirects: register the final address."
_SITE_FAILED = "The site failed itself: its own log says why."
_SDK_FAILED = "The SDK could not check the token: does the site reach the centre at {issuer}? Its own log says more."
_NO_STORE = (
    "Accepted, but its answer names no store, though the site has the SDK: something in front of the site answers for "
    "it or drops the header Lockstep-Store. Its store hears of a sign-out only when it checks in."
)
_OTHER = "An answer that the standard doesn't foresee: the site's own log may say why."


def cure(answer: Answer, client_id: str, issuer: str, *, has_sdk: bool) -> str:
    """One line; empty when there is nothing to mend. `has_sdk`: a store of the site has checked in before."""
    return _words(answer, has_sdk).format(client=client_id, issuer=issuer)


def _words(answer: Answer, has_sdk: bool) -> str:
    status = answer.status
    if status is None:
        return _OF_ERROR.get(answer.error, _OTHER)
    if status < 300:
        return _NO_STORE if has_sdk and not answer.store_id else ""
    if status < 400:
        return _REDIRECT
    if status >= 500:
        # Only the SDK names a store, and it answers 503 while it can't ask for our keys.
        return _SDK_FAILED if answer.store_id else _SITE_FAILED
    return _OF_STATUS.get(status, _OTHER)
