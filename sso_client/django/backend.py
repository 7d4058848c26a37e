"""SSOBackend: which account of the site a person has. Found by who they are, claimed if the site says so, else made.

A site that wants it otherwise names `SSO["ON_LOGIN"]`, or a subclass in AUTHENTICATION_BACKENDS.
"""

import logging
from contextlib import suppress
from typing import Any
from unicodedata import normalize

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.utils.module_loading import import_string

from sso_client.django.connection import get_connection
from sso_client.django.models import Identity, MappedRights, identity_key
from sso_client.errors import SSOError
from sso_client.user import User

_log = logging.getLogger("sso_client")
_FLAGS = ("is_staff", "is_superuser")


class SSOBackend(ModelBackend):  # type: ignore[misc]  # Django ships no types
    """`AUTHENTICATION_BACKENDS = ["sso_client.django.SSOBackend"]`; permissions are ModelBackend's."""

    def authenticate(self, request: Any, sso_user: User, account: Any = None) -> Any:
        """The account of a person who has just signed in, brought up to date; None if it isn't active.

        `account` is what the site's ON_LOGIN chose. Raises SSOError `account_refused` if none can be made.
        """
        account = account or self.find_account(sso_user) or self._claim_or_create(sso_user)
        if not self.user_can_authenticate(account):
            return None
        self.update_account(account, sso_user)
        self._update_groups(account, sso_user)
        return account

    def find_account(self, sso_user: User) -> Any:
        """The account that belongs to this person, None if there is none yet."""
        key = identity_key(get_connection().options.settings.issuer, sso_user.sub)
        identity = Identity.objects.select_related("account").filter(key=key).first()
        return None if identity is None else identity.account

    def create_account(self, sso_user: User) -> Any:
        """A new account, saved. Raises SSOError `account_refused` where its name can't be had.

        Who was here before keeps the plain name: nobody gets an account, or passes for its owner, by a name alone.
        """
        model = get_user_model()
        field = model._meta.get_field(model.USERNAME_FIELD)  # noqa: SLF001 - Django's documented API
        if model.get_email_field_name() == model.USERNAME_FIELD:
            name = sso_user.email
            # Our centre says nothing about it: its operator made the accounts. At other providers people write there
            # what they like, and an address opens what is somebody else's.
            is_vouched = get_connection().client.core.has_leases() and not _is_denied(sso_user)
            if not name or not (sso_user.email_verified or is_vouched) or _has(model, name):
                raise SSOError("account_refused", f"sub {sso_user.sub}: its e-mail is missing, unverified or taken")
        else:
            longest = field.max_length or 150
            name = model.normalize_username(sso_user.username)[:longest]
            if _has(model, name):
                mark = identity_key(get_connection().options.settings.issuer, sso_user.sub)[:8]
                name = f"{name[: longest - 9]}-{mark}"
                _log.info("sub %s is %r here: the plain name is another account's", sso_user.sub, name)
        account = model(**{model.USERNAME_FIELD: name})
        account.set_unusable_password()
        account.save()
        return account

    def update_account(self, account: Any, sso_user: User) -> None:
        """Name and e-mail address as the centre says them. What it doesn't say stays as it is."""
        given, family = sso_user.claims.get("given_name"), sso_user.claims.get("family_name")
        has_parts = isinstance(given, str) and isinstance(family, str)
        wanted = {"first_name": given if has_parts else sso_user.name, "last_name": family if has_parts else ""}
        email = type(account).get_email_field_name()
        if sso_user.email and email != type(account).USERNAME_FIELD and not _is_denied(sso_user):
            wanted[email] = sso_user.email
        known = {field.name: field for field in account._meta.fields}  # noqa: SLF001 - Django's documented API
        changed = []
        for name, value in wanted.items():
            if name in known and getattr(account, name) != (value := str(value)[: known[name].max_length]):
                setattr(account, name, value)
                changed.append(name)
        if changed:
            account.save(update_fields=changed)

    def _update_groups(self, account: Any, sso_user: User) -> None:
        """Give what GROUP_MAP names for the person's groups, take away what else it names or has given before."""
        group_map = get_connection().options.group_map
        granted = {target for group in sso_user.groups for target in group_map.get(group, ())}
        noted = MappedRights.objects.filter(account=account).first()
        before = set() if noted is None else set(noted.names)
        named = before.union(*group_map.values())
        if granted - before:  # noted before it is given, so that nothing is forgotten halfway
            _note(account, before | granted)
        flags = [flag for flag in _FLAGS if flag in named and getattr(account, flag) != (flag in granted)]
        if flags:
            for flag in flags:
                setattr(account, flag, flag in granted)
            account.save(update_fields=flags)
        if named - set(_FLAGS):
            has = set(account.groups.filter(name__in=named).values_list("name", flat=True))
            account.groups.remove(*Group.objects.filter(name__in=has - granted))
            account.groups.add(*(Group.objects.get_or_create(name=n)[0] for n in granted - has - set(_FLAGS)))
        if before - granted:
            _note(account, granted)

    def _claim_or_create(self, sso_user: User) -> Any:
        """An account for somebody who is here for the first time: two tabs at once make one."""
        try:
            return self._begin(sso_user)
        except IntegrityError:  # the other tab was first, or somebody else of the same name
            return self.find_account(sso_user) or self._begin(sso_user)

    def _begin(self, sso_user: User) -> Any:
        issuer = get_connection().options.settings.issuer
        key = identity_key(issuer, sso_user.sub)
        with transaction.atomic():
            # It writes before it reads: of two readers that want to write next, SQLite refuses one at once.
            if Identity.objects.filter(key=key).update(issuer=issuer):
                return self.find_account(sso_user)
            account = self._find_claimed(sso_user) or self.create_account(sso_user)
            Identity.objects.create(key=key, issuer=issuer, sub=sso_user.sub, account=account)
        return account

    def _find_claimed(self, sso_user: User) -> Any:
        """The account from before that the site lets this person have, if exactly one fits and nobody has it."""
        model, claim_by = get_user_model(), get_connection().options.claim_by
        # Who put somebody else's address into his own account keeps nobody from anything.
        unowned = model._default_manager.filter(sso_identity=None)  # noqa: SLF001 - as django.contrib.auth does
        if claim_by == "username":
            # To the letter, whatever the database takes for equal: who calls himself "ａdmin" or "Admin" isn't admin.
            wanted, name = sso_user.username, model.USERNAME_FIELD
            fits = unowned.filter(**{name: wanted})
            found = [account for account in fits if account.get_username() == wanted]
        elif claim_by == "verified_email" and sso_user.email and sso_user.email_verified:
            wanted, name = _folded(sso_user.email), model.get_email_field_name()
            fits = unowned.filter(**{f"{name}__iexact": sso_user.email})
            # A database's idea of equal letters is too wide: it has handed accounts to look-alikes (CVE-2019-19844).
            found = [account for account in fits if _folded(getattr(account, name)) == wanted]
        else:
            return None
        if len(found) != 1:
            return None
        _log.info("sub %s has claimed the account %r by its %s", sso_user.sub, found[0].get_username(), claim_by)
        return found[0]


def backend_path() -> str:
    """The entry of AUTHENTICATION_BACKENDS that is ours. Raises LookupError without one."""
    for path in django_settings.AUTHENTICATION_BACKENDS:
        found = import_string(path)
        if isinstance(found, type) and issubclass(found, SSOBackend):
            return str(path)
    raise LookupError("AUTHENTICATION_BACKENDS has no SSOBackend: add 'sso_client.django.SSOBackend'")


def _has(model: Any, name: str) -> bool:
    return bool(model._default_manager.filter(**{model.USERNAME_FIELD: name}).exists())  # noqa: SLF001


def _note(account: Any, names: set[str]) -> None:
    # Written without being read first, as in `_begin`.
    if not MappedRights.objects.filter(account=account).update(names=sorted(names)):
        with suppress(IntegrityError), transaction.atomic():  # another tab of the same person's was first
            MappedRights.objects.create(account=account, names=sorted(names))


def _is_denied(sso_user: User) -> bool:
    """True if the provider says of the address that nobody has verified it; some say it as a text."""
    return sso_user.claims.get("email_verified") in (False, "false")


def _folded(address: str) -> str:
    return normalize("NFKC", address).casefold()
