"""A run's world: directories, the centre's processes, the sites' processes and the wires between them."""

import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import event

from sso_server import config, wiring
from sso_server.cli import serve
from sso_server.core.clients import Client, ClientSecret
from sso_server.core.identifiers import digest
from sso_server.environment import child_environment
from sso_server.stores.sql import migrate
from tests.faults import broken, plan
from tests.faults.centre_ports import Diary, watch
from tests.faults.forwarder import Forwarder, Wires
from tests.faults.keeper import Keeper
from tests.faults.points import Points
from tests.faults.site_server import LOGOUT_PATH, SiteConfig, behave
from tests.faults.sites import LEASE_S, SiteKind
from tests.support.ports import free_port, wait_until_listening

_ROOT = Path(__file__).parents[2]


@dataclass
class Host:
    """One host of a site: a process with a store of its own."""

    kind: SiteKind
    name: str
    config: SiteConfig
    way_in: Forwarder | None = None
    way_out: Forwarder | None = None
    store_id: str = ""

    @property
    def directory(self) -> Path:
        return Path(self.config.directory)

    def ask(self, path: str, document: Any, timeout_s: float = 20) -> Any:
        """What the suite, or a visitor, says to this host. Raises RequestException, also where the site answers with an
        error: nobody takes that for done."""
        answer = requests.post(f"http://127.0.0.1:{self.config.port}{path}", json=document, timeout=timeout_s)
        answer.raise_for_status()
        found = answer.json()
        if isinstance(found, dict) and "error" in found:
            raise requests.RequestException(f"{self.name}{path}: {found['error']}")
        return found


class World:
    """Everything that runs. `close` ends all of it. `settings` name the stores."""

    def __init__(self, directory: Path, settings: dict[str, str], kinds: tuple[SiteKind, ...], part: str = "") -> None:
        self.directory = directory
        self.part = part
        self.kinds = kinds
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.points = Points(directory / "points")
        self.points.prepare()
        self.diary = Diary(directory / "ends.log")
        self.settings = {
            "SSO_ISSUER": self.issuer,
            "SSO_DATA_DIR": str(directory / "centre"),
            "SSO_LOG_FORMAT": "json",
            "SSO_HASH_MEMORY_KIB": "8192",
            # Else no session of a person who visited a site without the SDK would ever end as idle.
            "SSO_IDLE_WITHOUT_REPORTS": "true",
            **settings,
        }
        self.wires = Wires()
        self.keeper = Keeper()
        self.hosts: dict[str, Host] = {}
        loaded = config.load(self.settings)
        serve.prepare_data_dir(loaded)
        migrate.upgrade(loaded.sql_url)
        self.built = _watched(_seeding_quickly(wiring.build(loaded)), directory, part)
        self.built.signing_keys.ensure_keys()
        for kind in kinds:
            self._add_site(kind)

    def start(self) -> None:
        """All processes, and wait until everybody answers."""
        web = serve.web_child(f"127.0.0.1:{self.port}", 2, None, app="tests.faults.centre_web:create()")
        self.keeper.start("web", list(web.argv), self._env(), self.directory / "web.log")
        self.start_delivery()
        for host in self.hosts.values():
            module = "tests.faults.sdk_site" if host.kind.sdk else "tests.faults.plain_site"
            argv = [sys.executable, "-m", module, str(host.config.save())]
            behave(host.directory, do="ok")
            self.keeper.start(host.name, argv, self._env(), host.directory / "log")
        for host in self.hosts.values():
            wait_until_listening(host.config.port)
            if host.kind.sdk:
                host.store_id = host.ask("/store", {})["store_id"]
        deadline = time.monotonic() + 60
        while not _is_ready(self.issuer):
            assert time.monotonic() < deadline, (self.directory / "web.log").read_text()[-3000:]
            time.sleep(0.1)

    def start_delivery(self, fast: str = "") -> None:
        """The delivery process; `fast` is `since:rate` (centre_delivery)."""
        argv = [sys.executable, "-m", "tests.faults.centre_delivery"]
        more = {"FAULTS_FAST": fast} if fast else {}
        self.keeper.start("delivery", argv, {**self._env(), **more}, self.directory / "delivery.log")

    def client(self, client_id: str) -> Client:
        """A registered client."""
        found = self.built.services.clients.find(client_id)
        assert found is not None
        return found

    def close(self) -> None:
        """End every process and wire."""
        self.keeper.close()
        self.wires.close()
        self.built.close()

    def _add_site(self, kind: SiteKind) -> None:
        hosts = [self._add_host(kind, name) for name in plan.host_names(kind)]
        # The sites' balancer knows one of the hosts only, or it is the wire that will be cut.
        door = hosts[0].way_in.port if hosts[0].way_in else hosts[0].config.port
        added = self.built.sql.clients.add(
            Client(
                client_id=kind.client_id,
                name=kind.client_id,
                created_at=1,
                redirect_uris=tuple(f"http://127.0.0.1:{h.config.port}/sso/callback" for h in hosts),
                backchannel_logout_uri="" if kind.polls else f"http://127.0.0.1:{door}{LOGOUT_PATH}",
                delivery="poll" if kind.polls else "push",
                id_token_alg="ES256",
                lease_s=LEASE_S,
                secrets=(ClientSecret(digest(hosts[0].config.secret)),),
            )
        )
        assert added

    def _add_host(self, kind: SiteKind, name: str) -> Host:
        port = free_port()
        way_in = Forwarder(self.wires, port) if kind.fault in ("wire:in", "wire:both") else None
        way_out = Forwarder(self.wires, self.port) if kind.fault in ("wire:out", "wire:both") else None
        site = SiteConfig(
            name=name,
            client_id=kind.client_id,
            secret=f"secret-of-{kind.client_id}-0123456789abcdef",
            kind="sdk" if kind.sdk else "plain",
            issuer=self.issuer,
            port=port,
            directory=str(self.directory / name),
            run=str(self.directory),
            route=(self.port, way_out.port) if way_out else None,
            clock_off_ms=kind.clock_off_ms,
            clock_slow=kind.clock_slow,
            polls=kind.polls,
            part=broken.at_site(self.part, kind.client_id),
        )
        host = Host(kind, name, site, way_in, way_out)
        self.hosts[name] = host
        return host

    def _env(self) -> dict[str, str]:
        # A small heap matters here: two dozen processes on two cores.
        return child_environment(
            **self.settings,
            FAULTS_RUN=str(self.directory),
            FAULTS_PART=self.part,
            PYTHONPATH=str(_ROOT),
            NO_PROXY="127.0.0.1,localhost",
            MALLOC_ARENA_MAX="2",
            PATH=os.environ.get("PATH", ""),
        )


def _seeding_quickly(built: wiring.Built) -> wiring.Built:
    """Thousands of tickets are redeemed before the run begins. This process alone doesn't wait for the disk at each: it
    is never killed, and the centre's own processes wait as they always do."""

    def spare_the_disk(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")

    if built.sql.database.is_sqlite:
        event.listen(built.sql.database._engine, "connect", spare_the_disk)
    return built


def _watched(built: wiring.Built, run: Path, part: str) -> wiring.Built:
    """The suite's own process ends sessions too; they go into the diary like all others."""
    stores = watch(built.session_stores, run, "suite", part)
    built.services.sign_out._sessions = stores.sessions
    return replace(built, session_stores=stores)


def _is_ready(issuer: str) -> bool:
    try:
        return requests.get(issuer + "/readyz", timeout=2).status_code == 200
    except requests.RequestException:
        return False
