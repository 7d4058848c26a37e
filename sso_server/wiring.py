"""Composition root: settings -> stores, keys, clock, message builders -> services. The only wiring; nothing here
decides.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from sso_server import checks
from sso_server.clock import SystemClock
from sso_server.config import Settings
from sso_server.core.accounts import Accounts
from sso_server.core.census import Findings
from sso_server.core.check_in import CheckIns
from sso_server.core.client_assertions import ClientAssertions
from sso_server.core.clients import ClientDirectory
from sso_server.core.clock_guard import ClockGuard
from sso_server.core.consents import Consents
from sso_server.core.devices import Devices
from sso_server.core.direct_grants import DirectGrants
from sso_server.core.dpop import DpopProofs
from sso_server.core.fence import Fence
from sso_server.core.interventions import Interventions
from sso_server.core.people import People
from sso_server.core.policy import DAY
from sso_server.core.polls import Polls
from sso_server.core.ports import Clock, Randomness, Wake
from sso_server.core.proxy_granting import ProxyGranting
from sso_server.core.records import record
from sso_server.core.registrations import Registrations
from sso_server.core.reports import SignOutReports
from sso_server.core.restorations import Restorations
from sso_server.core.restoring import Restoring
from sso_server.core.service_tickets import ServiceTickets
from sso_server.core.sign_in import SignIn
from sso_server.core.sign_out import SignOut
from sso_server.core.subjects import Subjects
from sso_server.core.tickets import Tickets
from sso_server.core.tokens import Tokens
from sso_server.core.trials import Trials
from sso_server.core.uris import is_loopback_host
from sso_server.crypto.client_keys import RegisteredKeys
from sso_server.crypto.identifiers import SystemRandomness
from sso_server.crypto.passwords import Argon2Hasher
from sso_server.crypto.places import Places
from sso_server.crypto.proofs import SelfSigned
from sso_server.crypto.seals import ItsdangerousSeals
from sso_server.crypto.signing_keys import SigningKeys
from sso_server.delivery.census import Census
from sso_server.delivery.documents import GuardedDocuments
from sso_server.delivery.outgoing import Builder
from sso_server.delivery.proxy_callback import ProxyCaller
from sso_server.delivery.restorer import Restorer
from sso_server.delivery.sender import GuardedSender
from sso_server.delivery.sweeper import Sweeper
from sso_server.delivery.trial import TrialCaller
from sso_server.delivery.upkeep import Upkeep
from sso_server.delivery.wake import DatagramWake
from sso_server.delivery.worker import Worker
from sso_server.logout_posts import logout_posts
from sso_server.metrics.numbers import Numbers
from sso_server.metrics.ports import WatchedHasher, tell, watch_sender, watch_stores
from sso_server.secret_key import prepare_data_dir, secret_keys
from sso_server.session_stores import open_session_stores
from sso_server.stores.sql import SqlStores
from sso_server.web.readiness import Readiness
from sso_server.web.services import Services, Site
from sso_server.web.turns import Turns
from sso_server.web.waiting import WaitingRoom

if TYPE_CHECKING:
    from sso_server.stores.redis import RedisStores

PACKAGE = Path(__file__).parent
#: What the stores are called among the numbers; without Redis there is only the first.
STORE_NAMES = ("database", "redis")


@record
class Built:
    """Everything that one process holds."""

    settings: Settings
    secret_keys: tuple[str, ...]
    services: Services
    sql: SqlStores
    session_stores: SqlStores | RedisStores
    signing_keys: SigningKeys
    wake_path: Path
    numbers: Numbers
    proxy_caller: ProxyCaller
    documents: GuardedDocuments
    logout_posts: Mapping[str, Builder]

    def worker(self) -> Worker:
        """The delivery worker of this process, under a name of its own: claims of a dead one are told apart."""
        services = self.services
        stores = self.session_stores
        return Worker(
            outbox=stores.outbox,
            archive=stores.archive,
            audit=self.sql.audit,
            safe_by=services.reports.safe_by,
            clients=services.clients,
            builders=self.logout_posts,
            sender=watch_sender(self.sender(), self.numbers),
            clock=services.clock,
            clock_guard=ClockGuard(stores.health, services.clock),
            jitter=SystemRandomness().jitter,
            name=f"{socket.gethostname()}-{os.getpid()}",
        )

    def sender(self) -> GuardedSender:
        """What calls sites; whoever takes it closes it."""
        return GuardedSender(allow_loopback=self.services.site.is_loopback)

    def sweeper(self) -> Sweeper:
        """Ends what is due, runs end orders, drops what nobody needs."""
        return Sweeper(
            sign_out=self.services.sign_out,
            sweeps=self.session_stores.sweeps,
            ledger=self.session_stores.ledger,
            health=self.session_stores.health,
            audit=self.sql.audit,
            clock=self.services.clock,
            audit_ms=self.settings.audit_days * DAY,
            upkeep=Upkeep(
                self.sql.retention,
                lambda: self.signing_keys.tend(self.settings.key_rotation_days * DAY),
                self.sql.audit,
                self.services.clock,
            ),
        )

    def restorer(self) -> Restorer:
        """Puts right what a store that went back in time brought back."""
        services, sql = self.services, self.sql
        # The one that may use a store that is fenced off from all others.
        stores = self.session_stores.unfenced()
        restoring = Restoring(
            services.restorations,
            sql.restorations,
            stores.past,
            sql.journal,
            _make_sign_out(stores, sql, DatagramWake(self.wake_path), services.clock, services.randomness),
            stores.lists,
            sql.end_orders,
            stores.tickets,
            stores.tokens,
            sql.audit,
            services.clients,
            services.clock,
            services.policy,
        )
        return Restorer(restoring, ClockGuard(stores.health, services.clock), fenced=stores is not sql)

    def census(self) -> Census:
        """Counts what only the stores know."""
        services, stores = self.services, self.session_stores
        names = dict(zip(STORE_NAMES, services.health, strict=False))

        def found(findings: Findings) -> None:
            tell(self.numbers, findings, services.clock.now())

        return Census(
            stores.census, stores.outbox, services.sign_out, services.restorations, names, services.clock, found
        )

    def close(self) -> None:
        """Give back connections."""
        self.proxy_caller.close()
        self.documents.close()
        if self.session_stores is not self.sql:
            self.session_stores.close()
        self.sql.close()


def _make_sign_out(
    stores: SqlStores | RedisStores, sql: SqlStores, wake: Wake, clock: Clock, randomness: Randomness
) -> SignOut:
    return SignOut(
        stores.sessions, stores.lists, stores.sweeps, sql.end_orders, stores.tokens, sql.audit, wake, clock, randomness
    )


def _tell_of_keys(client_id: str, why: str) -> None:
    structlog.get_logger("sso_server.oidc").warning("client_keys_unusable", client_id=client_id, why=why)


def build(settings: Settings, numbers: Numbers | None = None) -> Built:
    """Everything, connected, counting into `numbers`. Touches the data directory and opens the database; the schema
    must be there already."""
    data_dir = prepare_data_dir(settings)
    keys = secret_keys(settings)
    policy = settings.policy()
    clock = SystemClock()
    randomness = SystemRandomness()
    numbers = numbers or Numbers.alone()
    sql = SqlStores.open(settings.sql_url, connections=settings.database_connections)
    watch_stores(sql, STORE_NAMES[0], numbers)
    # Whoever serves is seen by `sso restore` before the first request.
    sql.database.enter()
    stores = open_session_stores(settings, sql, fence=Fence(sql.restorations, clock).admits)
    numbers.name_build(sessions=STORE_NAMES[stores is not sql])
    if stores is not sql:
        watch_stores(stores, STORE_NAMES[1], numbers)
    wake_path = data_dir / "wake"
    wake = DatagramWake(wake_path)
    turns = Turns()
    argon2 = Argon2Hasher(
        memory_kib=settings.hash_memory_kib,
        at_once=settings.hash_limit,
        place=Places(data_dir).taken,
        while_waiting=turns.given_up,
    )
    hasher = WatchedHasher(argon2, numbers)
    seals = ItsdangerousSeals(keys, clock)
    signing_keys = SigningKeys(sql.keys, keys, clock)
    subjects = Subjects(sql.lasting, randomness)
    clients = ClientDirectory(sql.clients, clock)
    people = People(sql.users, clock)
    sign_out = _make_sign_out(stores, sql, wake, clock, randomness)
    restorations = Restorations(sql.restorations, stores.past, seals, clock, randomness, one_store=stores is sql)
    is_loopback = is_loopback_host(urlsplit(settings.issuer).hostname)
    posts = logout_posts(signing_keys, subjects, policy.issuer, clock, randomness)
    trial_caller = TrialCaller(posts, lambda: GuardedSender(allow_loopback=is_loopback))
    tickets = Tickets(stores.tickets, sql.audit, clock, randomness, policy)
    service_tickets = ServiceTickets(stores.tickets, stores.tokens, sql.audit, clock, randomness, policy)
    proxy_caller = ProxyCaller(lambda: GuardedSender(allow_loopback=is_loopback))
    documents = GuardedDocuments(lambda: GuardedSender(allow_loopback=is_loopback))
    client_keys = RegisteredKeys(documents, clock, _tell_of_keys)
    fenced = checks.fence_check(lambda: stores.lists.count_live(clock.now()), restorations)
    services = Services(
        policy=policy,
        site=Site(
            organization=settings.organization,
            support_contact=settings.support_contact,
            offer_remember=settings.offer_remember,
            is_https=settings.is_https,
            is_loopback=is_loopback,
            metrics_networks=settings.metrics_networks,
            frontchannel_logout=settings.frontchannel_logout,
            session_management=settings.session_management,
        ),
        clock=clock,
        randomness=randomness,
        seals=seals,
        signer=signing_keys,
        documents=documents,
        client_keys=client_keys,
        client_assertions=ClientAssertions(client_keys, stores.slips, clock, policy.issuer),
        dpop=DpopProofs(SelfSigned(), stores.slips, seals, clock, asks_nonce=settings.dpop_nonce),
        clients=clients,
        users=sql.users,
        people=people,
        accounts=Accounts(sql.users, people, sign_out, hasher, clock, randomness),
        sign_in=SignIn(
            sql.users, stores.sessions, stores.guesses, sign_out, hasher, sql.audit, clock, randomness, policy
        ),
        sign_out=sign_out,
        tickets=tickets,
        service_tickets=service_tickets,
        proxy_granting=ProxyGranting(service_tickets, clients, proxy_caller, randomness),
        tokens=Tokens(stores.tokens, stores.grants, sign_out, sql.audit, signing_keys, clock, randomness, policy),
        registrations=Registrations(
            sql.registration_tokens,
            sql.clients,
            clients,
            documents,
            stores.guesses,
            stores.ledger,
            sign_out,
            sql.audit,
            clock,
            randomness,
            policy,
            mode=settings.registration,
            frontchannel=settings.frontchannel_logout,
        ),
        check_ins=CheckIns(stores.check_ins, sign_out, restorations, ClockGuard(stores.health, clock), clock, policy),
        polls=Polls(stores.polls, ClockGuard(stores.health, clock), clock),
        trials=Trials(trial_caller, stores.guesses, sql.audit, clock, randomness, policy),
        waiting=WaitingRoom(),
        turns=turns,
        lists=stores.lists,
        ledger=stores.ledger,
        reports=SignOutReports(stores.ledger, stores.check_ins, clients, clock, sql.restorations),
        interventions=Interventions(stores.ledger, stores.sessions, stores.guesses, sql.audit, wake, clock),
        restorations=restorations,
        audit=sql.audit,
        one_time=sql.one_time,
        consents=Consents(sql.consents, sign_out, stores.tokens, clock),
        lasting=sql.lasting,
        subjects=subjects,
        grants=stores.grants,
        direct_grants=DirectGrants(stores.grants, clock, randomness, policy),
        devices=Devices(stores.slips, tickets, stores.guesses, clock, randomness),
        slips=stores.slips,
        guesses=stores.guesses,
        health=(sql.health,) if stores is sql else (sql.health, stores.health),
        readiness=Readiness(
            [
                *checks.database_checks(sql.health, sql.database, clock),
                *([] if stores is sql else [checks.redis_check(stores.health, clock), fenced]),
                *checks.centre_checks(signing_keys, restorations),
            ]
        ),
        watch=numbers,
    )
    return Built(
        settings, keys, services, sql, stores, signing_keys, wake_path, numbers, proxy_caller, documents, posts
    )
