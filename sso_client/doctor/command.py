"""`python -m sso_client doctor`: arguments in, report and exit code out."""

import argparse
import locale
import sys
from collections.abc import Sequence

from sso_client.addresses import origin_of
from sso_client.clock import SystemClock
from sso_client.doctor.examination import examine, of_bad_settings
from sso_client.doctor.findings import Level, verdict
from sso_client.doctor.report import as_json, as_text
from sso_client.doctor.site import RunningSite
from sso_client.errors import SettingsError
from sso_client.settings import load_settings

_ABOUT = (
    "Look at this site's single sign-on: settings, store, centre, clock, the running site and the way of a sign-out. "
    "The settings are read from the environment (SSO_...), as the site reads them. Nobody is signed in or out by it."
)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 nothing has to be mended, 1 something has, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m sso_client", description="The SDK's command.")
    doctor = parser.add_subparsers(metavar="doctor", required=True).add_parser(
        "doctor", help="say what is wrong with this site's single sign-on, and what to do", description=_ABOUT
    )
    doctor.add_argument("--url", metavar="BASE_URL", help="where the running site is; SSO_BASE_URL if not given")
    doctor.add_argument("--prefix", default="/sso", help="where the SDK is mounted in it (/sso)")
    doctor.add_argument("--json", action="store_true", help="for programs")
    doctor.add_argument("--lang", choices=("en", "zh"), default=_own_language(), help="the report's language")
    given = parser.parse_args(arguments)
    if given.url is not None and origin_of(given.url) is None:
        doctor.error(f"--url {given.url!r} is no http(s) address: write it like https://shop.example.com")
    secrets: tuple[str, ...] = ()
    try:
        settings = load_settings({})
    except SettingsError as error:
        findings = of_bad_settings(error)
    else:
        secrets = (settings.client_secret,)
        url = given.url or settings.base_url
        site = RunningSite(url.rstrip("/"), "/" + given.prefix.strip("/")) if url else None
        findings = list(examine(settings, site, SystemClock()))
    render = as_json if given.json else as_text
    sys.stdout.write(render(findings, given.lang, secrets))
    return 1 if verdict(findings) is Level.PROBLEM else 0


def _own_language() -> str:
    return "zh" if (locale.getlocale()[0] or "").startswith("zh") else "en"
