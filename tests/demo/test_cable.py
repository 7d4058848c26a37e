"""The ends of the demo's cable, and who may throw a switch."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import Client

from demo_apps.site import create_app as create_site_one
from sso_server import config
from sso_server.cli import demo_app, demo_cable
from sso_server.fronts.demo.switches import Switches
from sso_server.stores.sql import migrate


@pytest.fixture
def switches(tmp_path: Path) -> Switches:
    return Switches(tmp_path)


@pytest.fixture
def centre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    monkeypatch.setenv("SSO_DATA_DIR", str(tmp_path))
    migrate.upgrade(config.load().sql_url)
    app = demo_app.create_app()
    yield app.test_client()
    app.extensions["lockstep_built"].close()


def calls_in(centre: FlaskClient, client_id: str) -> int:
    """The status of a check-in with that id and a wrong secret."""
    credentials = base64.b64encode(f"{client_id}:wrong".encode()).decode()
    return centre.post("/check-in", json={}, headers={"Authorization": f"Basic {credentials}"}).status_code


def test_only_calls_of_site_two_are_dropped_and_only_while_the_cable_is_cut(
    centre: FlaskClient, switches: Switches
) -> None:
    assert calls_in(centre, "site-two") == 401
    switches.cable.turn(on=True)
    with pytest.raises(ConnectionResetError):
        calls_in(centre, "site-two")
    # Another id, another spelling of the same one, a person.
    assert calls_in(centre, "site-one") == 401
    with pytest.raises(ConnectionResetError):
        calls_in(centre, "site%2Dtwo")
    assert centre.get("/demo/map").status_code == 200
    for nonsense in ("Basic", "Basic %%%", "Bearer site-two", "Basic /w=="):
        assert centre.post("/check-in", json={}, headers={"Authorization": nonsense}).status_code == 401
    switches.cable.turn(on=False)
    assert calls_in(centre, "site-two") == 401


def test_site_two_hears_no_logout_call_while_the_cable_is_cut_and_people_still_reach_it(
    tmp_path: Path, switches: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "SSO_ISSUER": "http://127.0.0.1:1",
        "SSO_CLIENT_ID": "site-two",
        "SSO_CLIENT_SECRET": "s" * 43,
        "SSO_BASE_URL": "http://site-two.localhost:2",
        "SSO_STORE": f"sqlite:///{tmp_path}/store.sqlite3",
        "SITE_CABLE": str(switches.cable.path),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    two, one = Client(demo_cable.create_site()), Client(create_site_one())
    assert two.post("/sso/backchannel-logout").status_code == 400
    switches.cable.turn(on=True)
    with pytest.raises(ConnectionResetError):
        two.post("/sso/backchannel-logout")
    assert two.get("/").status_code == 200
    assert one.post("/sso/backchannel-logout").status_code == 400, "site one is at no cable"


@pytest.mark.parametrize("switch", ["cable", "kill"])
def test_a_foreign_page_throws_no_switch(centre: FlaskClient, switches: Switches, switch: str) -> None:
    centre.get("/demo/map")
    refused = centre.post(f"/demo/switches/{switch}", data={"on": "1"}, headers={"Origin": "http://evil.localhost"})
    assert refused.status_code == 400
    assert not getattr(switches, switch).is_on
    assert centre.get(f"/demo/switches/{switch}?on=1").status_code == 405


def test_a_new_demo_begins_with_everything_whole(switches: Switches) -> None:
    switches.cable.turn(on=True)
    switches.kill.turn(on=True)
    switches.note_killed(5)
    assert (switches.killed_at, switches.kill.is_on, switches.cable.is_on) == (5, False, True)
    switches.reset()
    assert (switches.killed_at, switches.kill.is_on, switches.cable.is_on) == (None, False, False)
