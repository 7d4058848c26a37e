"""How one node leaves: SIGTERM while requests and deliveries are at hand. Ten seconds, and nothing is lost."""

import socket
import threading
import time
from collections import Counter

import requests

from tests.nodes.farm import Farm
from tests.nodes.people import claims_of
from tests.nodes.test_journey import code_of, party_of, redeem
from tests.support.centre import is_alive, tree, wait_until
from tests.support.sinks import Sink

#: What SIGTERM may take, and what the supervisor's own end may take on a busy machine.
DRAIN_S = 10 + 3


def test_a_request_of_seven_seconds_is_answered_and_nobody_new_comes_in(own_farm: Farm) -> None:
    node = own_farm.nodes[0]
    party = party_of(own_farm, "shop")
    everybody = tree(node.pid)
    form = f"token=nothing&client_id={party.client_id}&client_secret={party.secret}"
    lines = (
        "POST /introspect HTTP/1.1",
        "Host: centre",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(form)}",
    )
    with socket.create_connection(("127.0.0.1", node.port), timeout=20) as slow, requests.Session() as kept:
        # Half a request: a thread of the node has it, and the rest comes when the node is leaving.
        slow.sendall("\r\n".join((*lines, "", form[:5])).encode())
        assert kept.get(node.address + "/healthz", timeout=10).headers["Connection"] == "keep-alive"
        took: list[float] = []
        begun = time.monotonic()
        stopping = threading.Thread(target=lambda: took.append(node.stop()))
        stopping.start()
        wait_until(lambda: _refuses(node.port), seconds=8, why="the node to refuse who comes now")
        # Who kept a connection open may be sending on it: it is answered, and told that this was the last time.
        last = kept.get(node.address + "/readyz", timeout=10)
        assert (last.status_code, last.headers["Connection"]) == (503, "close")
        time.sleep(max(0.0, begun + 7 - time.monotonic()))
        slow.sendall(form[5:].encode())
        answer = slow.recv(65536).lower()
        assert answer.startswith(b"http/1.1 200 "), answer
        stopping.join(30)
    assert 7 < took[0] < DRAIN_S
    # Whoever has ended and wasn't fetched by its parent yet isn't left behind.
    wait_until(lambda: not any(is_alive(pid) for pid in everybody), seconds=10, why="all processes to be gone")


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        return False
    return False


def test_what_a_leaving_node_was_delivering_the_other_goes_on_with(own_farm: Farm) -> None:
    """One site hangs, another is well. Both nodes claim; one leaves in the middle, the other tells the rest."""
    leaving, staying = own_farm.nodes
    with Sink("hang") as hanging, Sink(delay_s=0.2) as slow:
        parties = [party_of(own_farm, "hangs", hanging.url), party_of(own_farm, "slow", slow.url)]
        people = 30
        for number in range(people):
            own_farm.centre.add_user(f"person-{number}")
            browser = own_farm.browser()
            for party, username in zip(parties, (f"person-{number}", ""), strict=True):
                assert redeem(staying, party, code_of(browser, party, username)).status_code == 200
        sids = [session["sid"] for session in own_farm.centre.cli("session", "list", "--limit", "1000")]
        assert len(sids) == people
        for sid in sids:
            own_farm.centre.cli("session", "end", sid)
        slow.wait_for(3)
        assert leaving.stop() < DRAIN_S
        hanging.script("ok")
        with own_farm.centre.core() as built:
            ledger = built.services.ledger

            def all_told() -> bool:
                return all(row.state == "acknowledged" for sid in sids for row in ledger.of_session(sid))

            wait_until(all_told, seconds=120, why="the other node to tell everybody")
            rows = [row for sid in sids for row in ledger.of_session(sid)]
        assert len(rows) == 2 * people
        for party, sink in zip(parties, (hanging, slow), strict=True):
            came = Counter(claims_of(request.form["logout_token"])["sid"] for request in sink.inbox)
            assert {row.sid: row.sends for row in rows if row.client_id == party.client_id} == came
        assert set(Counter(claims_of(r.form["logout_token"])["sid"] for r in slow.inbox).values()) == {1}


def test_the_last_sign_out_of_the_only_node_is_told_before_it_is_gone(own_farm: Farm) -> None:
    """Web workers first, deliveries last: there may be no other node to go on."""
    node, other = own_farm.nodes
    with Sink() as sink:
        party = party_of(own_farm, "shop", sink.url)
        browser = own_farm.browser()
        assert redeem(node, party, code_of(browser, party, "alice")).status_code == 200
        other.stop()
        with requests.Session() as kept:
            # Past nginx, on one connection: the cookies are for https, which it stands for.
            cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.http.cookies)
            kept.headers.update({"Cookie": cookies, "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"})
            browser.page = kept.get(node.address + "/sign-out", timeout=10)
            if kept.cookies:
                kept.headers["Cookie"] = "; ".join(
                    [cookies, *(f"{cookie.name}={cookie.value}" for cookie in kept.cookies)]
                )
            form = next(form for form in browser.forms() if form["action"].endswith("/sign-out"))
            stopping = threading.Thread(target=node.stop)
            stopping.start()
            wait_until(lambda: _refuses(node.port), seconds=8, why="the node to refuse who comes now")
            answer = kept.post(
                node.address + "/sign-out",
                data=form["fields"],
                headers={"Origin": own_farm.issuer},
                timeout=10,
                allow_redirects=False,
            )
            assert answer.status_code == 303, answer.text
            stopping.join(30)
        assert not node.is_running()
        assert sink.count == 1
