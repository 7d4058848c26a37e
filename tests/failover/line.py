"""HTTP to one node of the centre, as a browser or a site speaks it: each answer is written down and judged."""

import time
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.failover.answers import HANG_S, Answer, Answers

_WAITS_S = 15.0


class NotNow(Exception):
    """The centre can't, says so, and is to be asked again."""


class Line:
    """Thread-safe enough: each thread takes its own by `copy`."""

    def __init__(self, base: str, issuer: str, answers: Answers) -> None:
        """`base` is where the node listens, `issuer` the name that it goes by."""
        self.base, self.issuer, self.answers = base, issuer, answers
        self._http = requests.Session()
        self._http.trust_env = False

    def copy(self) -> "Line":
        return Line(self.base, self.issuer, self.answers)

    def ask(
        self, what: str, method: str, path: str, cookies: dict[str, str] | None = None, **more: Any
    ) -> requests.Response:
        """The answer, redirects not followed, its cookies put into `cookies`. Raises NotNow for a 503, or none at all.

        429 is NotNow, too: whoever met an outage in the middle of a sign-in has a guess more on the counter.
        """
        headers = {
            "Host": urlsplit(self.issuer).netloc,
            "Accept": "text/html, application/json",
            # One that was idle is closed by the node in the moment of the next question: a browser would ask again.
            "Connection": "close",
            **more.pop("headers", {}),
        }
        if cookies is not None:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        at = time.time()
        try:
            self._http.cookies.clear()
            answer = self._http.request(
                method, self.base + path, headers=headers, allow_redirects=False, timeout=_WAITS_S, **more
            )
        except requests.RequestException as error:
            took = time.time() - at
            self.answers.add(Answer(at, what, 0, took, self.base, f"no answer after {took:.1f} s: {error!r}"[:300]))
            raise NotNow from None
        took = time.time() - at
        self.answers.add(Answer(at, what, answer.status_code, took, self.base, _problem(answer, took)))
        if answer.status_code in (429, 503) or answer.status_code >= 500:
            raise NotNow
        if cookies is not None:
            for cookie in answer.cookies:
                if cookie.value:
                    cookies[cookie.name] = cookie.value
                else:
                    cookies.pop(cookie.name, None)
        return answer


def _problem(answer: requests.Response, took_s: float) -> str:
    if answer.status_code >= 500 and answer.status_code != 503:
        return f"{answer.status_code} {answer.text[:200]!r}"
    if answer.status_code == 503 and not answer.headers.get("Retry-After", "").isdigit():
        return "503 without Retry-After"
    return f"{answer.status_code} only after {took_s:.1f} s" if took_s > HANG_S else ""
