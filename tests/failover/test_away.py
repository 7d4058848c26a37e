"""Redis is away for a while: stopped, or so that connections hang. What doesn't need it goes on, the rest says so."""

import os
import time
from collections.abc import Callable

import pytest
import requests

from tests.failover import people
from tests.failover.conftest import StartTown
from tests.failover.town import Town
from tests.support.services import OwnRedis

#: `FAILOVER_AWAY_S=60` is the long form.
AWAY_S = float(os.environ.get("FAILOVER_AWAY_S", "12"))
_TOKEN = "rt-17-" + "a" * 32


@pytest.mark.parametrize("how", ["stopped", "hangs"])
def test_redis_away_is_a_clear_503_and_everything_resumes_by_itself(
    own_redis: Callable[..., OwnRedis], start_town: StartTown, how: str
) -> None:
    server = own_redis("--appendonly", "yes")
    town = start_town(f"Redis {how} for {AWAY_S:.0f} s", server.url)
    before = town.half_way()
    (server.stop if how == "stopped" else server.pause)()
    gone_at = time.monotonic()
    # Those who leave at a site meanwhile are signed out there, and the centre hears of it later.
    town.finish([life for life in before if life.kind == "leaves_at_site"])
    town.finish([life for life in before if life.kind != "leaves_at_site"])
    _asks_in_vain(town)
    time.sleep(max(0.0, AWAY_S - (time.monotonic() - gone_at)))
    (server.start if how == "stopped" else server.resume)()
    town.wait_for_sign_ins()
    town.wait_for_lives(8)
    assert any(life.local_ended_at and not life.ended_at for life in before), "nobody left at a site meanwhile"
    town.reckon().hold()


def _asks_in_vain(town: Town) -> None:
    """Each answer says that it can't now, within seconds, and nobody's password is tried."""
    line, plain = town.lines[0].base, town.plain
    form = requests.Session()
    page = form.get(line + "/sign-in", timeout=15)
    # The page itself needs no session: a browser that has none gets it, to press the button later.
    assert page.status_code in (200, 503), page.status_code
    for password in ("a wrong password", "correct horse battery"):
        answer = _post(
            form, line + "/sign-in", {**people.hidden_fields(page.text), "username": "p0", "password": password}
        )
        # Were it tried, a wrong one would be told from a right one: guesses that nobody counts.
        assert answer.status_code == 503, f"{password}: {answer.status_code}"
        assert int(answer.headers["Retry-After"]) > 0
    secret = town.sites[0].secret
    needs_it = [
        requests.get(line + plain.authorize_path(), cookies=_a_session(town), allow_redirects=False, timeout=15),
        requests.post(line + "/token", data=_a_ticket(town), auth=plain.auth, timeout=15),
        requests.get(line + "/userinfo", headers={"Authorization": "Bearer " + _an_access_token(town)}, timeout=15),
        requests.post(line + "/check-in", json={"store": "st-" + "q" * 32}, auth=("shop", secret), timeout=15),
        requests.post(line + "/revoke", data={"token": _TOKEN}, auth=plain.auth, timeout=15),
    ]
    for answer in needs_it:
        assert answer.status_code == 503, f"{answer.url}: {answer.status_code} {answer.text[:200]}"
        assert answer.headers.get("Retry-After", "").isdigit(), answer.url
        assert answer.elapsed.total_seconds() < 6, answer.url
    for path in ("/.well-known/openid-configuration", "/jwks.json", "/healthz"):
        assert requests.get(line + path, timeout=15).status_code == 200, path
    assert requests.get(line + "/readyz", timeout=15).status_code == 503


def _post(form: requests.Session, url: str, fields: dict[str, str]) -> requests.Response:
    origin = url.removesuffix("/sign-in")
    return form.post(url, data=fields, headers={"Origin": origin}, timeout=15)


def _a_session(town: Town) -> dict[str, str]:
    return town.books.all(lambda life: life.kind == "stays" and life.local)[0].cookies


def _a_ticket(town: Town) -> dict[str, str]:
    return town.books.all(lambda life: life.kind == "stays" and life.redeemed_at)[0].ticket


def _an_access_token(town: Town) -> str:
    return town.books.all(lambda life: life.kind == "stays" and life.access)[0].access
