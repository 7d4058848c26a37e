"""What a Django site can listen to; `user_logged_in` and `user_logged_out` of django.contrib.auth are sent as well."""

from django.dispatch import Signal

sso_signed_in = Signal()
"""Somebody signed in here: `request`, `user` (sso_client.User), `account` (the site's own Django user)."""

sso_signed_out = Signal()
"""A local session ended, whoever ended it: `user` (sso_client.User), `reason`. Once for each; no request of theirs."""
