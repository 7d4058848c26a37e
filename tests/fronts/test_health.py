"""`/readyz`: which part is away, in words that anybody may read. `/metrics`: for this machine alone."""

import time

import pytest
import time_machine

from sso_server.web.readiness import Finding, Readiness, Report


def test_a_redis_that_is_away_is_named_and_nothing_of_its_address(make_app) -> None:
    answer = make_app(redis_url="redis://:hunter2@127.0.0.1:1/0").test_client().get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "not ready")
    assert answer.json["reasons"] == ["Redis cannot answer right now."]
    assert "127.0.0.1" not in answer.text


def test_a_database_that_cannot_be_written_is_named(make_app, tmp_path) -> None:
    assert make_app().test_client().get("/readyz").status_code == 200
    # Root may write what nobody may write: a directory in the place of the file stops everybody.
    (tmp_path / "lockstep.sqlite3").rename(tmp_path / "moved")
    for file in tmp_path.glob("lockstep.sqlite3-*"):
        file.unlink()
    (tmp_path / "lockstep.sqlite3").mkdir()
    answer = make_app().test_client().get("/readyz")
    assert (answer.status_code, answer.json["reasons"]) == (503, ["The database cannot answer right now."])


def test_a_clock_that_is_off_names_the_store_it_was_measured_against(app) -> None:
    # Not `later`: that takes the store's clock along.
    with time_machine.travel(time.time() + 60, tick=True):
        (reason,) = app.test_client().get("/readyz").json["reasons"]
    assert reason.startswith("The database: its clock and this node's differ by ")


def test_the_numbers_are_for_this_machine_alone(app) -> None:
    ask = app.test_client().get
    text = ask("/metrics").text
    assert 'lockstep_sign_ins_total{outcome="signed_in"} 0.0' in text
    assert "lockstep_sessions_live" not in text, "no delivery process has counted them"
    assert ask("/metrics", environ_overrides={"REMOTE_ADDR": "192.0.2.7"}).status_code == 404


def test_warnings_are_for_those_who_may_read_the_numbers(make_app, monkeypatch: pytest.MonkeyPatch) -> None:
    """They name servers and settings."""
    app = make_app(metrics_from="192.0.2.0/24")
    warned = Report((Finding(warnings=("Redis (10.0.0.5:6379) has replicas.",)),))
    monkeypatch.setattr(Readiness, "report", lambda self: warned)
    ask = app.test_client().get
    for address in ("127.0.0.1", "192.0.2.7"):
        assert ask("/readyz", environ_overrides={"REMOTE_ADDR": address}).json["warnings"] == warned.warnings
    stranger = ask("/readyz", environ_overrides={"REMOTE_ADDR": "198.51.100.1"})
    proxied = ask("/readyz", headers={"X-Forwarded-For": "198.51.100.1"})
    for answer in (stranger, proxied):
        assert (answer.status_code, answer.json) == (200, {"status": "ok", "reasons": []})


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:9000", 200),
        ("127.0.0.1", 200),
        ("[::1]:9000", 200),
        ("10.0.0.11:9000", 200),
        ("sso.example.com", 404),
        ("[::", 404),
    ],
)
def test_a_proxy_that_leaves_no_trace_is_known_by_the_name_that_was_asked_for(app, host: str, status: int) -> None:
    """One that passes on bytes."""
    assert app.test_client().get("/metrics", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via"])
@pytest.mark.parametrize("trusted", ["", "127.0.0.1/32"])
def test_what_a_proxy_on_this_machine_brings_is_not_from_this_machine(make_app, trusted: str, header: str) -> None:
    app = make_app(trusted_proxies=trusted)
    assert app.test_client().get("/metrics", headers={header: "127.0.0.1"}).status_code == 404


def test_named_networks_may_read_the_numbers_and_what_comes_through_a_proxy_may_not(make_app) -> None:
    ask = make_app(metrics_from="192.0.2.0/24, 2001:db8::/32", trusted_proxies="10.0.0.0/8").test_client().get

    def status(address: str, **headers: str) -> int:
        return ask("/metrics", environ_overrides={"REMOTE_ADDR": address}, headers=headers).status_code

    assert [status(address) for address in ("192.0.2.7", "2001:db8::1", "127.0.0.1")] == [200, 200, 200]
    assert [status(address) for address in ("198.51.100.1", "10.1.2.3")] == [404, 404]
    assert status("10.1.2.3", **{"X-Forwarded-For": "192.0.2.7"}) == 404
    assert status("192.0.2.7", **{"X-Forwarded-For": "192.0.2.7"}) == 404
