"""Makes the tables, the people and the services, once before the server starts."""

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
django.setup()

from cas_server.models import ServicePattern  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.auth.hashers import make_password  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402

call_command("migrate", verbosity=0)
# One hash for all: at 1,000,000 rounds each takes a third of a second.
password = make_password(settings.PEER["password"])
for one in settings.PEER["people"]:
    User.objects.create(username=one["name"], email=f"{one['name']}@example.com", password=password)
for number, site in enumerate(settings.PEER["clients"]):
    ServicePattern.objects.create(
        pos=number,
        name=site["id"],
        pattern=f"^{site['service'].replace('.', '[.]')}$",
        single_log_out=bool(site["logout_uri"]),
        single_log_out_callback=site["logout_uri"] or "",
    )
