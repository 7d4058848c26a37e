"""Lockstep itself as a `Server`: `sso serve` with two web workers, real hashes, sites that are told of sign-outs."""

from __future__ import annotations

import compileall
import contextlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load import Operation
from benchmarks.processes import words
from benchmarks.servers import Case, own_redis
from benchmarks.traffic import PASSWORD, PEOPLE, SITES, CasTraffic, Person, Site, Traffic, browse, by_form
from sso_server import wiring
from sso_server.core.clients import CAS, Client, ClientSecret
from sso_server.core.identifiers import digest
from tests.support.centre import Centre, tree
from tests.support.services import OwnRedis

#: What is asked for by default, and not the small ones of the tests.
REAL = {"SSO_HASH_MEMORY_KIB": "19456"}
#: Where nobody listens: a measurement without sign-outs calls nobody.
NOWHERE = "http://127.0.0.1:9/logout"


@dataclass(slots=True)
class LockstepServer:
    """One centre, new."""

    web_server: str = "gunicorn"
    store: str = "redis"
    algorithm: str = "ES256"
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further ones, `SSO_...`."""
    logout_uri: Callable[[Site], str] = lambda _: NOWHERE
    """Where each of the sites 1 to 20 is told of sign-outs."""
    refresh_tokens: bool = False
    """Whether the sites 1 to 20 get refresh tokens; peers give them to site 0 alone."""
    directory: Path = field(init=False)
    centre: Centre = field(init=False)
    redis: OwnRedis | None = field(init=False, default=None)
    _open: contextlib.ExitStack = field(init=False, default_factory=contextlib.ExitStack)

    @property
    def case(self) -> Case:
        """What it is."""
        return Case("lockstep", self.web_server, self.store, self.algorithm)

    @property
    def workloads(self) -> frozenset[str]:
        """All of them."""
        return frozenset({"W0", "W1", "W2", "R", "W3u", "W3i", "W4", "W5", "C1", "C2", "CR", "W6", "W6h"})

    @property
    def address(self) -> tuple[str, int]:
        """Where it answers."""
        return "127.0.0.1", self.centre.port

    @property
    def openid(self) -> Traffic:
        """Through discovery's addresses."""
        return Traffic(self._host, by_form("/sign-in"), sign_out)

    @property
    def cas(self) -> CasTraffic:
        """The CAS front."""
        return CasTraffic(self._host, by_form("/sign-in"))

    @property
    def _host(self) -> str:
        return f"127.0.0.1:{self.centre.port}"

    def start(self) -> None:
        """With accounts and clients; the first start makes schema and keys, too."""
        # As pip leaves what it installs, the peers too: where PYTHONDONTWRITEBYTECODE is set each start would compile.
        compileall.compile_dir(wiring.PACKAGE, quiet=1)
        # Children of what was killed may write for a moment longer: that ends no run of an hour.
        directory = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
        self.directory = Path(self._open.enter_context(directory))
        if self.store == "redis":
            self.redis = own_redis(self.directory / "redis")
            self._open.callback(self.redis.kill)
        settings = dict(REAL)
        if self.web_server != "gunicorn":
            # The fastest that there is, of all that operations.md offers.
            settings |= {"SSO_WEB_SERVER": self.web_server, "SSO_OWN_CORES": "true"}
        settings |= self.settings
        self.centre = Centre(self.directory, self.redis.url if self.redis else "", settings)
        self._open.callback(self._kill)
        self.centre.start()
        register(self.centre, self.algorithm, self.logout_uri, refresh_tokens=self.refresh_tokens)

    def stop(self) -> None:
        """At once: its data is thrown away."""
        self._open.close()

    def processes(self) -> Mapping[str, Sequence[int]]:
        """`web` (supervisor and workers), `delivery`, and `redis`."""
        popen = self.centre.process.popen
        assert popen is not None
        everything = tree(popen.pid)
        delivery = [pid for pid in everything if words(pid).startswith("sso deliver")]
        found: dict[str, Sequence[int]] = {
            "web": [pid for pid in everything if pid not in delivery],
            "delivery": delivery,
        }
        return found | ({"redis": [self.redis.pid]} if self.redis else {})

    def _kill(self) -> None:
        if self.centre.process.popen is not None:
            self.centre.process.kill()


def register(
    centre: Centre, algorithm: str, logout_uri: Callable[[Site], str], *, refresh_tokens: bool = False
) -> None:
    """The people and the sites that every server knows, in this centre's stores."""
    with centre.core() as built:
        now = built.services.clock.now()
        for number in range(PEOPLE):
            name = f"user{number}"
            built.services.accounts.add(
                name, PASSWORD, name=f"User {number}", email=f"{name}@example.com", groups=("staff",), actor="bench"
            )
        for number in range(SITES + 1):
            site = Site(number)
            openid = Client(
                site.client_id,
                f"Site {number}",
                now,
                secrets=(ClientSecret(digest(site.secret)),),
                redirect_uris=(site.redirect_uri,),
                backchannel_logout_uri=logout_uri(site) if number else "",
                id_token_alg=algorithm,
                refresh_tokens=refresh_tokens or number == 0,
            )
            cas = Client(
                f"service{number}",
                f"Service {number}",
                now,
                kind=CAS,
                cas_services=(site.service,),
                backchannel_logout_uri=logout_uri(site),
            )
            for client in (openid, cas):
                assert built.sql.clients.add(client), client


def sign_out(traffic: Traffic | CasTraffic, person: Person) -> Operation[None]:
    """As a site sends the browser: its ID token says who, so nobody is asked."""
    answer = yield from browse(person, "GET", f"/end-session?id_token_hint={person.id_token}", traffic.host)
    answer.must(answer.status == 303, "an answer to the sign-out")
