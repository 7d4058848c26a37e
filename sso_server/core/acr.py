"""How strong a sign-in is: the authentication context classes (OpenID Connect Core 1.0 section 2, `acr`).

Which class a request wants, and what happens if a sign-in doesn't meet it, is the asking front's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

#: A password, typed into our own page over a protected line. An absolute URI, as Core section 2 advises, and one that
#: sites know already: of SAML's Authentication Context section 3.4.12.
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
#: Strongest first.
ACR_VALUES = (PASSWORD,)
#: Class -> the methods (RFC 8176) that a sign-in must all have used.
_NEEDS = {PASSWORD: frozenset({"pwd"})}


def acr_of(amr: Sequence[str], wanted: Sequence[str] = ()) -> str:
    """The class that a sign-in by these methods is told to have met: the first of `wanted` (in the site's order of
    preference) that it meets, else the strongest; empty if it meets none."""
    met = [acr for acr in ACR_VALUES if _NEEDS[acr] <= set(amr)]
    return next((acr for acr in wanted if acr in met), met[0] if met else "")


def meets(acr: str, wanted: Collection[object]) -> bool:
    """Whether this is one of the classes that were asked for; no wish is always met."""
    return not wanted or acr in wanted
