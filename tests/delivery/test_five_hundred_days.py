"""Retention: five hundred days of a small centre on a clock that is wound on. No table grows without bound."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from sso_server import config, wiring
from sso_server.core import setup
from sso_server.core.check_in import CheckIn
from sso_server.core.client_metadata import ClientMetadata
from sso_server.core.clients import Client
from sso_server.core.errors import LockstepError
from sso_server.core.events import EventKind
from sso_server.core.identifiers import BROWSER
from sso_server.core.policy import DAY, HOUR
from sso_server.core.putting_back import order_restoration
from sso_server.core.sessions import EndReason, Session
from sso_server.core.sign_in import Visitor
from sso_server.core.tickets import s256
from sso_server.stores.sql import migrate
from sso_server.stores.sql.health import SqlHealth
from sso_server.stores.sql.tables import metadata
from tests.support.builders import store_id
from tests.support.clocks import SetClock

DAYS, STEP = 500, 10
#: What only people make: it stays until people remove it. (What they agreed to, one row for each app.)
PEOPLES = {"users", "clients", "consents", "registration_tokens"}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """The centre's, and the store's."""
    clock = SetClock()
    monkeypatch.setattr(wiring, "SystemClock", lambda: clock)
    monkeypatch.setattr(SqlHealth, "store_time", lambda _: clock.now())
    return clock


@pytest.fixture
def built(clock: SetClock, tmp_path: Path) -> Iterator[wiring.Built]:
    settings = config.load({"SSO_DATA_DIR": str(tmp_path / "data"), "SSO_HASH_MEMORY_KIB": "8192"})
    settings.data_dir.mkdir()
    migrate.upgrade(settings.sql_url)
    opened = wiring.build(settings)
    yield opened
    opened.close()


def visitor(built: wiring.Built) -> Visitor:
    services = built.services
    browser = services.randomness.identifier(BROWSER, services.randomness.bucket())
    return Visitor(browser_id=browser, address=f"192.0.2.{secrets.randbelow(250)}", user_agent="Firefox", known_mark="")


def a_day(built: wiring.Built, clients: list[Client], day: int) -> None:
    """Whatever makes rows: people who come and go, guesses, containers, set-up links, orders, restorations."""
    services = built.services
    if day % 50 == 0:
        with pytest.raises(LockstepError):
            services.sign_in.authenticate(f"nobody-{day}", "a wrong password", visitor(built))
    signed_in: list[Session] = []
    for _ in range(3):
        session = services.sign_in.open(services.accounts.get("alice"), visitor(built), remember=False).session
        signed_in.append(session)
        for client in clients:
            store = store_id() if client.client_id == "shop" else ""
            where = {"redirect_uri": client.redirect_uris[0]}
            ticket = services.tickets.issue(
                session, client, **where, code_challenge=s256("v" * 43), nonce="", scope=("openid", "offline_access")
            )
            tokens = services.tickets.redeem(ticket, client, **where, code_verifier="v" * 43, store_id=store)
            services.tokens.refresh(tokens.refresh_token, client, None)
            services.consents.note_use(session.user_id, client, ("openid", "offline_access"))
            if store:
                services.check_ins.check_in(client, CheckIn(store, None, (), (), (session.sid,), None, denied_from=0))
    # One by hand, one by an order, one is left to its deadline.
    services.sign_out.end(signed_in[0].sid, EndReason.SIGN_OUT, actor="user")
    services.accounts.sign_out_everywhere(
        signed_in[1].user_id, keep_sid=signed_in[2].sid, reason=EndReason.ADMINISTRATOR, actor="test"
    )
    for name in ("par:", "proof:", "device:"):
        now = services.clock.now()
        services.slips.add(f"{name}{day}", "{}", now + HOUR, now)
    setup.issue(services.one_time, services.randomness, services.clock, first_only=False)
    if day % 40 == 0:
        order_restoration(built.sql.restorations, services.clock, services.randomness)
        assert built.restorer().run_once()


def counts(built: wiring.Built) -> dict[str, int]:
    with built.sql.database.read() as connection:
        return {
            name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }


def test_no_table_grows_without_bound(built: wiring.Built, clock: SetClock) -> None:
    services = built.services
    services.accounts.add("alice", "correct horse battery", actor="test")
    api = {"access_token": "jwt", "audience": ("shop",)}
    clients = [
        Client("shop", "Shop", 1, redirect_uris=("https://shop.example/cb",), backchannel_logout_uri="", **api),  # type: ignore[arg-type]
        Client("wiki", "Wiki", 1, redirect_uris=("https://wiki.example/cb",), delivery="poll"),
    ]
    assert all(built.sql.clients.add(client) for client in clients)
    built.signing_keys.ensure_keys()
    services.registrations.add_token("ci")
    assert services.subjects.of(replace(clients[1], metadata=ClientMetadata(subject_type="pairwise")), "usr-alice")
    sweeper, worker, restorer = built.sweeper(), built.worker(), built.restorer()
    restorer.run_once()
    most: dict[str, int] = {}
    seen: dict[int, dict[str, int]] = {}
    files = set()
    for day in range(0, DAYS + 1, STEP):
        a_day(built, clients, day)
        most = {name: max(count, most.get(name, 0)) for name, count in counts(built).items()}
        for ms in (HOUR, DAY, STEP * DAY - DAY - HOUR):
            clock.pass_ms(ms)
            sweeper.run_once()
            worker.archive_final()
            # The audit is looked through page by page before anything is forgotten.
            for _ in range(3):
                sweeper.run_once()
        seen[day] = counts(built)
        files.add(len(list(built.settings.data_dir.iterdir())))
    assert {name for name, count in most.items() if not count} == set(), "nothing of this kind was ever made"
    grown = {
        name: [seen[day][name] for day in (420, 440, 460, 480, 500)]
        for name in metadata.tables
        if name not in PEOPLES and seen[500][name] > seen[420][name] * 1.02 + 2
    }
    assert grown == {}
    # Almost nothing is left of what is short-lived, a session's traces among it.
    short = ("sessions", "participants", "notifications", "tickets", "tokens", "guesses", "denied", "one_time", "slips")
    assert {name: count for name, count in seen[500].items() if name in short and count > 100} == {}
    # Two algorithms, one key at work and one retired each; the first row, and one for each forty days of 400.
    assert seen[500]["signing_keys"] <= 4
    assert seen[500]["restorations"] <= 12
    assert max(files) - min(files) <= 1
    assert built.sql.audit.list_events(1, kind=EventKind.KEY_ROTATED)[0].actor == "schedule"
