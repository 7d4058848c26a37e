"""A site that was mended in between is told again at the press of a button: by the person, and by an administrator.

By itself the ledger would try a 404 again only after a minute.
"""

from __future__ import annotations

import contextlib

from sso_server.core.clients import Client
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, Centre, wait_until
from tests.support.relying_party import RelyingParty
from tests.support.sinks import Sink


def add_site(centre: Centre, name: str, sink: Sink) -> RelyingParty:
    """An OpenID Connect site without our SDK, called at the sink."""
    secret = f"secret-of-{name}-0123456789abcdef0123456789abcdef"
    redirect_uri = f"http://127.0.0.1:{sink.port}/callback"
    client = Client(name, name.title(), 1, redirect_uris=(redirect_uri,), backchannel_logout_uri=sink.url)
    centre.add_client(client, secret)
    return RelyingParty(centre.issuer, name, secret, redirect_uri)


def rows(centre: Centre, sid: str) -> dict[str, tuple[str, int]]:
    with centre.core() as built:
        return {row.client_id: (row.state.value, row.attempt) for row in built.services.ledger.of_session(sid)}


def test_a_mended_site_hears_at_once_when_somebody_presses_the_button(centre: Centre) -> None:
    with centre.core() as built:
        built.services.accounts.add("root", PASSWORD, is_admin=True, actor="test")
    with contextlib.ExitStack() as stack:
        sinks = {name: stack.enter_context(Sink("404", "ok")) for name in ("kiosk", "wiki")}
        parties = [add_site(centre, name, sink) for name, sink in sinks.items()]
        browser = Browser()
        browser.open(centre.issuer + "/sign-in").sign_in(centre.username, PASSWORD)
        for party in parties:
            party.sign_in_silently(browser)
        browser.open(centre.issuer + "/sign-out").submit("/sign-out", scope="here")
        report = browser.url
        with centre.core() as built:
            (session,) = built.services.ledger.list_ended(1)
        sid = session.sid
        failed = {"kiosk": ("pending", 1), "wiki": ("pending", 1)}
        wait_until(lambda: rows(centre, sid) == failed, why="both sites to have failed once")

        admin = Browser()
        admin.open(centre.issuer + "/sign-in").sign_in("root", PASSWORD)
        address = f"/admin/sign-outs/{sid}"
        admin.open(centre.issuer + address)
        admin.submit(f"{address}/retry", site="wiki")
        wait_until(lambda: rows(centre, sid)["wiki"] == ("acknowledged", 2), why="wiki to be told again")
        assert rows(centre, sid)["kiosk"] == ("pending", 1)

        browser.open(report).submit("/signed-out/again")
        wait_until(lambda: rows(centre, sid)["kiosk"] == ("acknowledged", 2), why="the kiosk to be told again")
        assert "All 2 sites you used are signed out." in browser.open(report).text
        assert [len(sink.inbox) for sink in sinks.values()] == [2, 2]
