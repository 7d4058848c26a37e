"""F: one check-in of a site's store, when it has nothing to hear and when it is to hear of 100 ends.

Eight stores call, as often as they are answered. None of them acknowledges, so that each call lists every end anew.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from itertools import product
from typing import Any

from benchmarks.floor_server import FloorServer
from benchmarks.given import Given
from benchmarks.load import Answer, Operation, request
from benchmarks.lockstep_server import LockstepServer
from benchmarks.results import Figure
from benchmarks.rounds import CONNECTIONS, measure, turned
from benchmarks.servers import started
from benchmarks.serving import figures_of
from benchmarks.traffic import Site
from benchmarks.workloads import Stage, Workload
from sso_server.core.policy import DAY, HOUR, SECOND
from sso_server.core.sessions import EndReason
from tests.support.builders import NOW, opened, random_part, registered

ENDS = (0, 100)


def figures(given: Given) -> Iterator[Figure]:
    """Each web server and store, beside its floor."""
    for number in range(given.rounds):
        for store, web_server in product(given.stores, given.web_servers):
            servers = LockstepServer(web_server, store), FloorServer(web_server, store)
            with started(servers[0]), started(servers[1]):
                for ends in ENDS:
                    known = (_stores(servers[0], ends), _stores_of_floor(servers[1], ends))
                    for server, store_ids in turned([*zip(servers, known, strict=True)], number):
                        stage, workload = Stage(server, server.openid), _workload(store_ids, ends)
                        measure(stage, workload, number, min(0.5, given.seconds), CONNECTIONS)
                        reading = measure(stage, workload, number, given.seconds, CONNECTIONS)
                        for figure in figures_of(reading):
                            yield Figure(figure.case, "F", figure.name, figure.value, number, f"{ends} ends")


def _stores_of_floor(server: FloorServer, ends: int) -> list[str]:
    """What each is to hear is one value, read by its name; and when it was there is written."""
    store_ids = [f"st-{random_part()}" for _ in range(CONNECTIONS)]
    for store_id in store_ids:
        told = [
            {"sid": f"sid-{random_part()}", "reason": EndReason.SIGN_OUT.value, "ended_at": NOW} for _ in range(ends)
        ]
        server.put(f"ends:{store_id}", json.dumps(told))
    return store_ids


def _stores(server: LockstepServer, ends: int) -> list[str]:
    """A store of each of the first sites; every person who has signed out had been at all of them."""
    store_ids = [f"st-{random_part()}" for _ in range(CONNECTIONS)]
    with server.centre.core() as built:
        stores: Any = built.session_stores
        now = built.services.clock.now() - SECOND
        for _ in range(ends):
            session = opened(stores, now, user_id="usr-crowd", absolute_until=now + DAY)
            for who, store_id in enumerate(store_ids):
                # Without an address: it hears at its check-in, and nobody calls meanwhile.
                registered(
                    stores,
                    session,
                    Site(who + 1).client_id,
                    now,
                    store_id=store_id,
                    reports=True,
                    local_max_ms=HOUR,
                    logout_uri="",
                )
            stores.sessions.end(session.sid, EndReason.SIGN_OUT.value, now + SECOND)
    return store_ids


def _workload(store_ids: list[str], ends: int) -> Workload:
    marks: dict[int, str | None] = {}

    def check_in(stage: Stage, who: int, _turn: int) -> Operation[None]:
        site = Site(who + 1)
        said: dict[str, Any] = {"store": store_ids[who], "mark": marks.get(who), "acks": [], "ended": [], "active": []}
        answer: Answer = yield _call(stage.traffic.host, site, said)
        answer.must(answer.status == 200, "a check-in")
        members = json.loads(answer.body)
        answer.must(len(members["ends"]) == ends and not members["more"], f"{ends} ends")
        marks[who] = members["mark"]

    return Workload("F", f"a check-in with {ends} ends", check_in)


def _call(host: str, site: Site, said: dict[str, Any]) -> bytes:
    known = base64.b64encode(f"{site.client_id}:{site.secret}".encode()).decode()
    body = json.dumps(said)
    headers = {
        "Authorization": f"Basic {known}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    return request("POST", "/check-in", host, headers=headers) + body.encode()
