"""Site one calls site two's API: one GET with an access token, and what came back, whatever it was.

What a site needs for that is this call and `sso.access_token()`.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT_S = 5
_MAX_ANSWER = 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said. Status 0: nobody answered."""

    status: int
    said: dict[str, Any]
    body: str = ""
    challenge: str = ""


def ask(url: str, token: str) -> Answer:
    """GET with the token in the Authorization header (RFC 6750 section 2.1)."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", where.path, headers={"Authorization": f"Bearer {token}", "Connection": "close"})
        answer = connection.getresponse()
        body = answer.read(_MAX_ANSWER).decode("utf-8", "replace")
        said = json.loads(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(0, {}, type(error).__name__)
    finally:
        connection.close()
    challenge = answer.getheader("WWW-Authenticate") or ""
    return Answer(answer.status, said if isinstance(said, dict) else {}, body.strip(), challenge)
