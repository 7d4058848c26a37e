"""Whose an account of this site is, and what it owes to the centre's groups. The accounts are the site's own."""

import hashlib

from django.conf import settings
from django.db import models


class Identity(models.Model):  # type: ignore[misc]  # Django ships no types
    """`issuer` and `sub` name a person for ever (OpenID Connect Core 1.0 section 2); user names and addresses don't."""

    # A hash, because the databases differ in whether "A" equals "a", and in how much they can index.
    key = models.CharField(max_length=64, primary_key=True, editable=False)
    issuer = models.TextField()
    sub = models.TextField()
    # One to one: an account that belongs to somebody can't be claimed by anybody else.
    account = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="sso_identity")

    class Meta:
        verbose_name_plural = "identities"

    def __str__(self) -> str:
        return f"{self.sub} at {self.issuer}"


class MappedRights(models.Model):  # type: ignore[misc]  # Django ships no types
    """What GROUP_MAP has given an account: it goes at a later sign-in even if the map no longer names it."""

    account = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="sso_rights"
    )
    names = models.JSONField(default=list)

    class Meta:
        verbose_name_plural = "mapped rights"

    def __str__(self) -> str:
        return f"{self.account_id}: {', '.join(self.names)}"


def identity_key(issuer: str, sub: str) -> str:
    """The key of a person."""
    return hashlib.sha256(f"{issuer}\n{sub}".encode()).hexdigest()
