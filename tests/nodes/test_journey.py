"""One centre on two nodes: each step of a story is answered by another node than the one before."""

import re
import secrets
import threading
import time
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import jwt
import requests

from tests.nodes.farm import Farm, Node
from tests.nodes.people import claims_of
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, wait_until
from tests.support.relying_party import RelyingParty
from tests.support.sinks import Sink

VERIFIER = "v" * 43


def party_of(farm: Farm, name: str, logout_uri: str = "") -> RelyingParty:
    """A site of this test alone."""
    return farm.add_party(f"{name}-{farm.centre.username}-{secrets.token_hex(2)}", logout_uri)


def code_of(browser: Browser, party: RelyingParty, username: str = "") -> str:
    """The ticket that comes back from the centre; with a `username` the sign-in page is filled in on the way."""
    url = party.authorize_url(VERIFIER)
    if username:
        browser.open(url)
        fields = next(form for form in browser.forms() if "password" in form["fields"])["fields"]
        posted = browser.http.post(
            browser.url,
            data={**fields, "username": username, "password": PASSWORD},
            timeout=15,
            allow_redirects=False,
        )
        assert posted.status_code == 303, posted.text
        url = posted.headers["Location"]
    while not url.startswith(party.redirect_uri):
        url = requests.compat.urljoin(party.issuer, url)  # type: ignore[attr-defined]
        answer = browser.http.get(url, timeout=15, allow_redirects=False)
        assert answer.status_code in (302, 303), answer.text
        url = answer.headers["Location"]
    return parse_qs(urlsplit(url).query)["code"][0]


def redeem(node: Node, party: RelyingParty, code: str) -> requests.Response:
    """Server to server, at this node."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": party.redirect_uri,
        "code_verifier": VERIFIER,
    }
    return requests.post(node.window + "/token", data=form, auth=(party.client_id, party.secret), timeout=15)


def refresh(node: Node, party: RelyingParty, token: str) -> requests.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return requests.post(node.window + "/token", data=form, auth=(party.client_id, party.secret), timeout=15)


def test_each_step_of_a_sign_in_and_a_sign_out_at_another_node(farm: Farm) -> None:
    one, two = farm.nodes
    browser, hops = farm.hopping_browser()
    with Sink() as sink:
        party = party_of(farm, "shop", sink.url)
        code = code_of(browser, party, farm.centre.username)
        redeemed = redeem(one, party, code)
        assert redeemed.status_code == 200, redeemed.text
        tokens = redeemed.json()
        assert party.verify(tokens["id_token"])["sid"]
        # A replay is one at every node.
        assert refresh(two, party, tokens["refresh_token"]).status_code == 200
        bearer = {"Authorization": "Bearer " + tokens["access_token"]}
        for node in farm.nodes:
            assert requests.get(node.window + "/userinfo", headers=bearer, timeout=15).status_code == 200
        assert redeem(two, party, code_of(browser, party)).status_code == 200, "nobody is asked a second time"

        browser.open(farm.issuer + "/sign-out").submit("/sign-out")
        assert browser.page.status_code == 200
        (call,) = sink.wait_for(1)
        assert party.verify_logout_token(call.body.decode())["sid"] == claims_of(tokens["id_token"])["sid"]
        page = browser.url.replace("/signed-out", "/signed-out.json")
        wait_until(lambda: "signed_out" in browser.open(page).text, why="the report to say so, at each node")
        for node in farm.nodes:
            assert requests.get(node.window + "/userinfo", headers=bearer, timeout=15).status_code == 401
            assert refresh(node, party, tokens["refresh_token"]).status_code == 400
    steps = [step for _, step in hops.noted]
    assert all(before != after for (before, _), (after, _) in zip(hops.noted, hops.noted[1:], strict=False))
    assert steps[:4] == ["GET /authorize", "GET /sign-in", "POST /sign-in", "GET /authorize/continue"]


def test_a_ticket_is_spent_at_every_node_at_once(farm: Farm) -> None:
    party = party_of(farm, "shop")
    browser = farm.browser()
    for number in range(4):
        code = code_of(browser, party, "" if number else farm.centre.username)
        barrier = threading.Barrier(4)
        statuses: list[int] = []

        def call(node: Node, code: str = code, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(10)
            statuses.append(redeem(node, party, code).status_code)  # noqa: B023

        callers = [threading.Thread(target=call, args=(node,)) for node in farm.nodes * 2]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(20)
        assert sorted(statuses) == [200, 400, 400, 400]


def test_a_poll_that_waits_at_one_node_hears_what_ends_at_the_other(farm: Farm) -> None:
    one, two = farm.nodes
    party = party_of(farm, "asker")
    farm.centre.cli("client", "update", party.client_id, "--delivery", "poll")
    browser = farm.browser()
    wait_until(lambda: redeem(two, party, code_of(browser, party, farm.centre.username)).status_code == 200)
    (session,) = farm.centre.cli("session", "list", "--user", farm.centre.username)
    answers: list[tuple[float, requests.Response]] = []

    def wait() -> None:
        auth = (party.client_id, party.secret)
        answer = requests.post(one.window + "/poll", json={}, auth=auth, timeout=40)
        answers.append((time.monotonic(), answer))

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(1)  # it waits by now; if not, it only finds what is there already
    assert not answers
    begun = time.monotonic()
    browser.http.get(two.window + "/sign-out", timeout=15)
    browser.open(two.window + "/sign-out").submit("/sign-out")
    waiting.join(30)
    (at, answer) = answers[0]
    (token,) = answer.json()["sets"].values()
    assert claims_of(token)["sid"] == session["sid"]
    assert at - begun < 15, "it heard within its wait"


def test_a_store_checks_in_at_any_node_and_its_mark_counts_at_all(farm: Farm) -> None:
    party = party_of(farm, "shop")
    store = "st-" + "".join(secrets.choice("abcdefgh") for _ in range(32))
    mark = None
    for node in farm.nodes * 3:
        body = {"store": store, "mark": mark, "acks": [], "ended": [], "active": []}
        answer = requests.post(node.window + "/check-in", json=body, auth=(party.client_id, party.secret), timeout=15)
        assert answer.status_code == 200, answer.text
        mark = answer.json()["mark"]
    assert all("strange_mark" not in node.log.read_text() for node in farm.nodes)


def test_a_set_up_link_works_at_every_node_and_once(farm: Farm) -> None:
    browser, hops = farm.hopping_browser()
    link = farm.centre.cli("admin", "setup-link")["link"]
    name = f"root-{secrets.token_hex(3)}"
    browser.open(link).submit("/setup", username=name, name="Root", new=PASSWORD, repeat=PASSWORD)
    assert browser.page.status_code == 200, browser.text
    assert [step for _, step in hops.noted][:2] == ["GET /setup", "POST /setup"]
    for node in farm.nodes:
        again = farm.browser().open(link.replace(farm.issuer, node.window))
        assert again.page.status_code >= 400 or "password" not in again.text


def test_a_password_changed_at_one_node_ends_the_sessions_of_the_other(farm: Farm) -> None:
    one, two = farm.nodes
    party = party_of(farm, "shop")
    laptop, phone = farm.browser(), farm.browser()
    assert redeem(one, party, code_of(laptop, party, farm.centre.username)).status_code == 200
    phone_tokens = redeem(two, party, code_of(phone, party, farm.centre.username)).json()
    laptop.open(one.window + "/password")
    new = "another good password"
    laptop.submit("/password", current=PASSWORD, new=new, repeat=new)
    assert laptop.page.status_code == 200, laptop.text
    wait_until(lambda: refresh(two, party, phone_tokens["refresh_token"]).status_code == 400, why="the phone to be out")
    assert redeem(two, party, code_of(laptop, party)).status_code == 200, "who changed it stays signed in"
    # And the old password opens nothing anywhere.
    for node in farm.nodes:
        page = farm.browser().open(node.window + "/sign-in").sign_in(farm.centre.username, PASSWORD)
        assert page.page.status_code == 400


def test_a_rotated_key_is_seen_by_all_nodes_before_it_signs(farm: Farm) -> None:
    def keys(node: Node) -> set[str]:
        return {key["kid"] for key in requests.get(node.window + "/jwks.json", timeout=15).json()["keys"]}

    before = keys(farm.nodes[0])
    assert before == keys(farm.nodes[1])
    farm.centre.cli("key", "rotate")
    rotated = {key["kid"] for key in farm.centre.cli("key", "list")}
    assert rotated > before
    # Each worker of each node remembers keys for three seconds.
    wait_until(lambda: all(keys(node) == rotated for node in farm.nodes * 4), seconds=20, why="all to publish them")
    # What is signed until the new one is active is signed with what everybody has known for long.
    party = party_of(farm, "shop")
    tokens = redeem(farm.nodes[0], party, code_of(farm.browser(), party, farm.centre.username)).json()
    assert jwt.get_unverified_header(tokens["id_token"])["kid"] in before


def test_what_is_changed_at_a_client_counts_at_all_nodes_within_seconds(farm: Farm) -> None:
    party = party_of(farm, "shop")
    code_of(farm.browser(), party, farm.centre.username)

    def works(node: Node, secret: str) -> bool:
        body = {"token": "nothing"}
        return requests.post(node.window + "/introspect", body, auth=(party.client_id, secret), timeout=15).ok

    assert all(works(node, party.secret) for node in farm.nodes)
    new = farm.centre.cli("client", "rotate-secret", party.client_id, "--overlap", "0s")["client_secret"]
    # Each worker of each node remembers clients for a second.
    wait_until(lambda: all(works(node, new) for node in farm.nodes * 4), seconds=20, why="the new secret to work")
    wait_until(lambda: not any(works(node, party.secret) for node in farm.nodes * 4), seconds=20, why="the old to end")


def test_nobody_names_his_requests_in_the_log_but_nginx(farm: Farm) -> None:
    another, browser = "another-persons-request", farm.browser()
    named = browser.http.get(farm.issuer + "/healthz", headers={"X-Request-ID": another}, timeout=15)
    assert re.fullmatch("[0-9a-f]{32}", named.headers["X-Request-ID"]), "nginx' own"
    assert all(another not in node.log.read_text() for node in farm.nodes)


def test_guesses_are_counted_over_all_nodes_together(farm: Farm) -> None:
    browser, hops = farm.hopping_browser()
    statuses: list[int] = []
    # From the fifth on the next one has to wait, each time twice as long: a slow machine may be past the first waits.
    while 429 not in statuses and len(statuses) < 10:
        browser.open(farm.issuer + "/sign-in").sign_in(farm.centre.username, "wrong guess")
        statuses.append(browser.page.status_code)
        browser.open(farm.issuer + "/sign-in")  # so that the next guess is the other node's
    assert statuses[:5] == [400] * 5
    assert statuses[-1] == 429, "each node for itself had five at most"
    guessed = Counter(node for node, step in hops.noted if step == "POST /sign-in")
    assert max(guessed.values()) - min(guessed[node.name] for node in farm.nodes) <= 1
