"""What a client may see and do, in words: each scope (OpenID Connect Core 1.0 section 5.4) and each single claim."""

from __future__ import annotations

from flask_babel import LazyString, gettext, lazy_gettext

from sso_server.core.clients import Client
from sso_server.core.consents import OFFLINE, Consent, Wish
from sso_server.core.records import record

_SCOPES = {
    "profile": lazy_gettext("See your profile: your name and user name, and what else it says of you"),
    "email": lazy_gettext("See your e-mail address"),
    "address": lazy_gettext("See your postal address"),
    "phone": lazy_gettext("See your phone number"),
    "groups": lazy_gettext("See which groups you belong to"),
    OFFLINE: lazy_gettext("Go on with all of this while you are not signed in, until you remove it"),
}
_CLAIMS = {
    "name": lazy_gettext("See your full name"),
    "family_name": lazy_gettext("See your family name"),
    "given_name": lazy_gettext("See your given name"),
    "middle_name": lazy_gettext("See your middle name"),
    "nickname": lazy_gettext("See your nickname"),
    "preferred_username": lazy_gettext("See your user name"),
    "profile": lazy_gettext("See the address of your profile page"),
    "picture": lazy_gettext("See your picture"),
    "website": lazy_gettext("See the address of your website"),
    "gender": lazy_gettext("See your gender"),
    "birthdate": lazy_gettext("See your date of birth"),
    "zoneinfo": lazy_gettext("See your time zone"),
    "locale": lazy_gettext("See your language"),
    "updated_at": lazy_gettext("See when your profile last changed"),
    "email": _SCOPES["email"],
    "email_verified": lazy_gettext("See whether your e-mail address is confirmed"),
    "address": _SCOPES["address"],
    "phone_number": _SCOPES["phone"],
    "phone_number_verified": lazy_gettext("See whether your phone number is confirmed"),
    "groups": _SCOPES["groups"],
}


@record
class Item:
    """One line of the list."""

    words: LazyString | str
    is_new: bool


def in_words(wish: Wish, client: Client, known: Consent | None = None) -> list[Item]:
    """Everything that the client may see and do. New is what wasn't agreed to before, if anything was."""
    scopes, claims = (set(known.scope), set(known.claims)) if known else (set(wish.scope), set(wish.claims))
    sees = [Item(_scope(name, client), name not in scopes) for name in wish.scope if name != OFFLINE]
    sees += [
        Item(_CLAIMS.get(name, gettext("See what is called %(name)s", name=name)), name not in claims)
        for name in wish.claims
    ]
    # What speaks of all the others stands last.
    return sees + [Item(_SCOPES[OFFLINE], OFFLINE not in scopes) for name in wish.scope if name == OFFLINE]


def _scope(name: str, client: Client) -> LazyString | str:
    if name == "openid":
        if client.metadata.subject_type == "pairwise":
            return gettext("Recognise you when you come back, by a number that no other app knows")
        return gettext("Recognise you when you come back, by the number of your account")
    # Of an API: only its owner has words for it.
    return _SCOPES.get(name) or gettext("Use what is called %(name)s", name=name)
