"""The doctor's calls, to the centre and to the site, through the SDK's own HTTP with its time-outs."""

import json
from collections.abc import Mapping

from sso_client.driving import drive
from sso_client.errors import SSOError
from sso_client.http import Answer, Http, basic
from sso_client.settings import Settings

#: A test call waits for a call of its own, of at most 5 s.
_TEST_S = 10.0


class Calls:
    """Each method raises SSOError `provider_unreachable` when there is no whole answer in time."""

    def __init__(self, settings: Settings) -> None:
        self._http = Http(settings.ca_file)
        self._authorization = basic(settings.client_id, settings.client_secret)

    def get(self, url: str) -> Answer:
        """A GET on a connection of its own: behind a balancer each may come to another of the site's workers."""
        return drive(self._http.get(url, {"Connection": "close"}))

    def post_form(self, url: str, body: bytes) -> Answer:
        """A form without credentials, on a connection of its own."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Connection": "close"}
        return drive(self._http.post(url, headers, body))

    def post_form_as_client(self, url: str, body: bytes) -> Answer:
        """A form with the site's credentials."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": self._authorization}
        return drive(self._http.post(url, headers, body))

    def post_json_as_client(self, url: str, members: Mapping[str, object]) -> Answer:
        """A JSON object with the site's credentials."""
        headers = {"Content-Type": "application/json", "Authorization": self._authorization}
        return drive(self._http.post(url, headers, json.dumps(dict(members)).encode(), total_s=_TEST_S))

    def close(self) -> None:
        """Close pooled connections."""
        drive(self._http.close())


def why(error: SSOError) -> str:
    """What the library called the failure, such as `ConnectTimeout`."""
    return error.detail.rpartition(": ")[2]


def is_distrust(error: SSOError) -> bool:
    """True if TLS failed: mostly a certificate that isn't trusted here."""
    return why(error) == "SSLError"
