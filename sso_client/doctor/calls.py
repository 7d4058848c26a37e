"""The doctor's calls, to the centre and to the site, through the SDK's own HTTP with its time-outs."""

import json
from collections.abc import Mapping

from sso_client.driving import drive
from sso_client.errors import SSOError
from sso_client.http import TOTAL_S, Answer, Http, basic
from sso_client.settings import Settings

#: A test call waits for a call of its own, of at most 5 s.
_TEST_S = 10.0
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Calls:
    """Each call has a connection of its own: behind a balancer the next may come to another of the site's workers.

    Each method raises SSOError `provider_unreachable` when there is no whole answer in time.
    """

    def __init__(self, settings: Settings) -> None:
        self._ca_file = settings.ca_file
        self._authorization = {"Authorization": basic(settings.client_id, settings.client_secret)}

    def get(self, url: str) -> Answer:
        """A GET without credentials."""
        http = Http(self._ca_file)
        try:
            return drive(http.get(url))
        finally:
            drive(http.close())

    def post_form(self, url: str, body: bytes) -> Answer:
        """A form without credentials."""
        return self._post(url, _FORM, body)

    def post_form_as_client(self, url: str, body: bytes) -> Answer:
        """A form with the site's credentials."""
        return self._post(url, _FORM | self._authorization, body)

    def post_json_as_client(self, url: str, members: Mapping[str, object]) -> Answer:
        """A JSON object with the site's credentials."""
        headers = {"Content-Type": "application/json"} | self._authorization
        return self._post(url, headers, json.dumps(dict(members)).encode(), _TEST_S)

    def _post(self, url: str, headers: Mapping[str, str], body: bytes, total_s: float = TOTAL_S) -> Answer:
        http = Http(self._ca_file)
        try:
            return drive(http.post(url, headers, body, total_s))
        finally:
            drive(http.close())


def why(error: SSOError) -> str:
    """What the library called the failure and, if it says so, the system: `ConnectionError, Connection refused`."""
    return error.detail.partition(": ")[2]


def is_distrust(error: SSOError) -> bool:
    """True if TLS failed: mostly a certificate that isn't trusted here."""
    return why(error).partition(",")[0] == "SSLError"
