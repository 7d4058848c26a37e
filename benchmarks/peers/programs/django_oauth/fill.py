"""Makes the tables, the people and the clients, once before the server starts."""

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.hashers import make_password  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from oauth2_provider.models import get_application_model  # noqa: E402

call_command("migrate", verbosity=0)
# One hash for all: at 1,000,000 rounds each takes a third of a second.
password = make_password(settings.PEER["password"])
for one in settings.PEER["people"]:
    User.objects.create(username=one["name"], email=f"{one['name']}@example.com", password=password)
for site in settings.PEER["clients"]:
    get_application_model().objects.create(
        client_id=site["id"],
        client_secret=site["secret"],
        # Hashed, each request of a client would take those 1,000,000 rounds.
        hash_client_secret=False,
        client_type="confidential",
        authorization_grant_type="authorization-code",
        algorithm="RS256",
        redirect_uris=site["redirect_uri"],
        skip_authorization=True,
        name=site["id"],
    )
