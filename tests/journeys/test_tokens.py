"""Access tokens: one site calls another's API, for longer than a token lives, and not for longer than N after the end.

The API's own site is one at which nobody ever signs in.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sso_server.core.client_metadata import DEVICE_CODE, TOKEN_EXCHANGE, ClientMetadata
from sso_server.core.clients import Client
from tests.journeys.conftest import ENGINES
from tests.journeys.test_main_journey import sign_in, signed_in
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, Centre, Site, wait_until
from tests.support.relying_party import RelyingParty
from tests.support.services import running_redis
from tests.support.signing_client import private_key, proof

N_S = 5


@dataclass(frozen=True, eq=False)
class Shops:
    """A centre whose tokens live ten seconds; a site with JWTs, one with opaque tokens, and the API that both call."""

    centre: Centre
    jwts: Site
    opaque: Site
    api: Site


@pytest.fixture(scope="module", params=ENGINES)
def running_shops(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops]:
    """Started once for both stories."""
    directory = tmp_path_factory.mktemp("shops")
    with ExitStack() as stack:
        url = stack.enter_context(running_redis(directory)) if request.param == "redis" else ""
        centre = Centre(directory, url, {"SSO_ACCESS_TOKEN_LIFE": "10"})
        stack.callback(centre.process.stop)
        centre.start()
        sites = [
            Site(centre, name, host=f"site-{name}.localhost", lease_s=lease_s, app="demo_apps.flask_site")
            for name, lease_s in (("jwts", 60), ("opaque", 60), ("api", N_S))
        ]
        centre.cli("client", "update", "jwts", "--access-token", "jwt", "--audience", "api")
        centre.cli("client", "update", "opaque", "--audience", "api")
        for site in sites:
            stack.callback(site.process.stop)
            site.process.start()
        for site in sites:
            wait_until(lambda site=site: requests.get(f"http://127.0.0.1:{site.port}/", timeout=2), why="a site")
        time.sleep(1.1)  # each worker of the centre looks for changed clients once a second
        yield Shops(centre, *sites)


@pytest.fixture
def shops(running_shops: Shops) -> Shops:
    """With a person of the test's own."""
    running_shops.centre.username = f"alice-{secrets.token_hex(4)}"
    running_shops.centre.add_user(running_shops.centre.username)
    return running_shops


def token_of(browser: Browser, site: Site) -> str:
    """What the site would call an API with for this browser's person."""
    answer = browser.http.get(f"{site.base_url}/token", timeout=15)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def call(api: Site, token: str | None) -> requests.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return requests.get(f"http://127.0.0.1:{api.port}/api/time", headers=headers, timeout=15, allow_redirects=False)


def status_until_refused(api: Site, token: str) -> tuple[int, float]:
    """The first answer that is no 200, and how many seconds it took."""
    begun = time.monotonic()
    return status_after(api, token, 200), time.monotonic() - begun


def status_after(api: Site, token: str, status: int) -> int:
    """The first other answer than this one."""
    return int(wait_until(lambda: (got := call(api, token).status_code) != status and got, why=f"not {status}"))


def test_one_sites_tokens_open_anothers_api_until_the_person_signs_out(shops: Shops) -> None:
    jwts, opaque, api = shops.jwts, shops.opaque, shops.api
    answer = call(api, None)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="api"')
    browser = Browser()
    sign_in(browser, jwts)
    browser.open(f"{opaque.base_url}/sso/login?next=/")
    first = [token_of(browser, site) for site in (jwts, opaque)]
    assert [token.count(".") for token in first] == [2, 0]
    called = [call(api, token) for token in first]
    assert [answer.status_code for answer in called] == [200, 200], [answer.text for answer in called]
    assert called[0].json()["sub"] == called[1].json()["sub"]

    for site, token in zip((jwts, opaque), first, strict=True):
        wait_until(lambda site=site, token=token: token_of(browser, site) != token, why="a renewed token")
    wait_until(lambda: call(api, first[1]).status_code == 401, why="the first token to expire")
    last = [token_of(browser, site) for site in (jwts, opaque)]
    assert [call(api, token).status_code for token in last] == [200, 200], "nobody signed in again"

    browser.open(f"{opaque.base_url}/sso/logout").submit("/sso/logout")
    refused = [status_until_refused(api, token) for token in last]
    assert [status for status, _ in refused] == [401, 401]
    # The promise itself; a busy machine gets less than another N.
    assert sum(took for _, took in refused) < 2 * N_S
    assert 'error="invalid_token"' in call(api, last[0]).headers["WWW-Authenticate"]
    wait_until(lambda: not signed_in(browser, jwts), why="the site to be told")
    assert browser.http.get(f"{jwts.base_url}/token", headers={"Accept": "application/json"}).status_code == 401


def test_an_api_without_its_centre_admits_nobody_beyond_n(shops: Shops) -> None:
    centre, jwts, api = shops.centre, shops.jwts, shops.api
    browser = Browser()
    sign_in(browser, jwts)
    token = token_of(browser, jwts)
    # Each worker has its own keys: one that was never called would refuse at once.
    assert {call(api, token).status_code for _ in range(30)} == {200}
    centre.process.kill()
    centre.cli("session", "end", "--user", centre.username)
    status, took = status_until_refused(api, token)
    assert status == 503
    # The promise itself; a busy machine gets less than another N.
    assert took < 2 * N_S
    for _ in range(3):
        answer = call(api, token)
        assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (503, False)
        assert int(answer.headers["Retry-After"]) > 0
    centre.start()
    assert status_after(api, token, 503) == 401


@pytest.mark.covers("line-61", "line-58")
def test_a_token_that_is_bound_to_a_key_opens_no_api_of_the_sdk_as_a_bearer_token(shops: Shops) -> None:
    browser, key, url = Browser(), private_key("ES256", "bound"), f"{shops.centre.issuer}/token"
    sign_in(browser, shops.jwts)
    for site in (shops.jwts, shops.opaque):
        party = RelyingParty(shops.centre.issuer, site.client_id, site.secret, f"{site.base_url}/sso/callback")
        kinds: dict[str, int] = {}
        for headers in ({}, {"DPoP": proof(key, "POST", url)}):
            verifier = secrets.token_urlsafe(40)
            asked = browser.http.get(party.authorize_url(verifier), allow_redirects=False, timeout=10)
            form = {
                "grant_type": "authorization_code",
                "code": parse_qs(urlsplit(asked.headers["Location"]).query)["code"][0],
                "redirect_uri": party.redirect_uri,
                "code_verifier": verifier,
            }
            auth = (site.client_id, site.secret)
            tokens = requests.post(url, data=form, auth=auth, headers=headers, timeout=10).json()
            kinds[tokens["token_type"]] = call(shops.api, tokens["access_token"]).status_code
        assert kinds == {"Bearer": 200, "DPoP": 401}, site.client_id


def test_a_device_and_an_exchange_open_an_api_until_the_person_signs_out(shops: Shops) -> None:
    """A television calls one API, and that goes on to the next."""
    centre, api, mark = shops.centre, shops.api, secrets.token_hex(4)
    television, gate = f"television-{mark}", f"gate-{mark}"
    secret = f"secret-of-{mark}-0123456789abcdef0123456789"
    apis = {"access_token": "jwt", "created_at": 1, "scopes": ("openid", "profile")}
    exchanges = ClientMetadata(grant_types=(TOKEN_EXCHANGE,), exchange_audience=("api",))
    centre.add_client(Client(gate, "Gate", metadata=exchanges, **apis), secret)
    is_device = ClientMetadata(grant_types=(DEVICE_CODE,))
    centre.add_client(Client(television, "Television", public=True, metadata=is_device, audience=("api", gate), **apis))

    def token(auth: str = "", **form: str) -> str:
        answer = requests.post(f"{centre.issuer}/token", data=form, auth=(auth, secret) if auth else None, timeout=10)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    asked = {"client_id": television, "scope": "openid profile"}
    told = requests.post(f"{centre.issuer}/device-authorization", data=asked, timeout=10).json()
    browser = Browser().open(told["verification_uri_complete"]).sign_in(centre.username, PASSWORD)
    browser.submit("/device").submit("/device/answer", answer="allow")
    # Right before they are used: tokens live ten seconds here.
    seen = token(client_id=television, grant_type=DEVICE_CODE, device_code=told["device_code"])
    kind = "urn:ietf:params:oauth:token-type:access_token"
    further = token(gate, grant_type=TOKEN_EXCHANGE, subject_token=seen, subject_token_type=kind, audience="api")
    called = [call(api, one) for one in (seen, further)]
    assert [answer.status_code for answer in called] == [200, 200], [answer.text for answer in called]
    assert called[0].json()["sub"] == called[1].json()["sub"]

    browser.open(f"{centre.issuer}/sign-out").submit("/sign-out")
    # A signature that has expired would still be taken for a minute: what refuses is the list at the check-in.
    refused = [status_until_refused(api, one) for one in (seen, further)]
    assert [status for status, _ in refused] == [401, 401]
    assert sum(took for _, took in refused) < 2 * N_S
