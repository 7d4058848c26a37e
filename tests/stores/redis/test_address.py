"""Addresses: what each form means, and that no words about a wrong one show a part of its password."""

import traceback
from pathlib import Path

import pytest

from sso_server.config import ConfigError, load
from sso_server.stores.redis import RedisStores
from sso_server.stores.redis.address import SCHEMES, parse


def test_one_server() -> None:
    plain = parse("redis://db.example")
    assert (plain.kind, plain.hosts, plain.tls) == ("server", (("db.example", 6379),), False)
    full = parse("redis://centre:s%40e%2Fc%2C@10.0.0.5:7000/3?socket_timeout=3&client_name=sso")
    assert full.hosts == (("10.0.0.5", 7000),)
    named = {name: full.options[name] for name in ("username", "password", "db", "client_name")}
    assert named == {"username": "centre", "password": "s@e/c,", "db": 3, "client_name": "sso"}
    assert full.timeout_s == 3.0
    assert parse("redis://:pw@[::1]:7000/0").hosts == (("::1", 7000),)
    assert parse("redis://h?db=2").options["db"] == 2


def test_what_is_not_said_is_a_second_thirty_two_connections_and_a_look_after_half_a_minute() -> None:
    for url in ("redis://h", "redis+sentinel://h/s", "redis+cluster://h", "unix:///run/redis.sock"):
        address = parse(url)
        assert (address.timeout_s, address.options["socket_connect_timeout"]) == (1.0, 1.0)
        assert (address.connections, address.wait_s, address.idle_s) == (32, 1.0, 30.0)
    limited = parse("redis://h?max_connections=4&timeout=0.5&health_check_interval=0")
    assert (limited.connections, limited.wait_s, limited.idle_s) == (4, 0.5, 0.0)


def test_a_socket() -> None:
    address = parse("unix://centre:pw@/run/redis.sock?db=1")
    assert (address.kind, address.hosts) == ("server", ())
    named = {name: address.options[name] for name in ("path", "username", "password", "db")}
    assert named == {"path": "/run/redis.sock", "username": "centre", "password": "pw", "db": 1}


def test_a_service_under_sentinel() -> None:
    url = "redis+sentinel://centre:pw@s1,s2:26400,[::1]/my%20service/2?sentinel_user=watch&sentinel_password=eye"
    address = parse(url)
    assert address.kind == "sentinel"
    assert address.hosts == (("s1", 26379), ("s2", 26400), ("::1", 26379))
    assert address.service == "my service"
    assert [address.options[name] for name in ("username", "password", "db")] == ["centre", "pw", 2]
    assert [address.sentinel_options[name] for name in ("username", "password")] == ["watch", "eye"]
    assert "db" not in address.sentinel_options
    # A sentinel that asks for no password isn't told that of the servers.
    assert "password" not in parse("redis+sentinel://:pw@s1/service").sentinel_options


def test_a_cluster() -> None:
    address = parse("redis+cluster://:pw@n1,n2:7001,n3/0")
    assert (address.kind, address.hosts) == ("cluster", (("n1", 6379), ("n2", 7001), ("n3", 6379)))
    assert address.options["password"] == "pw"
    assert "db" not in address.options


def test_tls_and_its_options_go_to_servers_and_sentinels(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("")
    for kind in ("rediss://h", "rediss+sentinel://h/s", "rediss+cluster://h"):
        address = parse(f"{kind}?ssl_ca_certs={file}&ssl_check_hostname=false")
        assert address.tls
        assert address.options["ssl_ca_certs"] == address.sentinel_options["ssl_ca_certs"] == str(file)
        assert address.options["ssl_check_hostname"] is False


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://h", "must begin with"),
        ("redis+other://h", "must begin with"),
        ("redis://", "host or port"),
        ("redis://h:port", "host or port"),
        ("redis://h:70000", "host or port"),
        ("redis://h1,h2", "several servers"),
        ("redis://h/first", "number of a database"),
        ("redis://h?foo=1", "isn't known"),
        ("redis://h?protocol=3", "isn't known"),
        ("redis://h?decode_responses=false", "isn't known"),
        ("redis://h?socket_timeout=soon", "value"),
        ("redis://h?socket_timeout=0", "above zero"),
        ("redis://h?socket_timeout", "can't be read"),
        ("redis://h?ssl_ca_certs=/x", "no TLS"),
        ("redis://h?sentinel_user=x", "only redis+sentinel://"),
        ("rediss://h?ssl_ca_certs=/nowhere.pem", "ssl_ca_certs that isn't there"),
        ("rediss://h?ssl_cert_reqs=perhaps", "value"),
        ("redis+sentinel://h", "names no service"),
        ("redis+sentinel://h/service/x", "number of a database"),
        ("redis+cluster://h/1", "only the one with the number 0"),
        ("redis+cluster://h?db=1", "only the one with the number 0"),
        ("unix://", "names no socket"),
        ("redis://[::1", "can't be read"),
    ],
)
def test_a_wrong_address_is_refused_at_once_in_words(url: str, words: str) -> None:
    with pytest.raises(ValueError, match="SSO_REDIS_URL: ") as caught:
        RedisStores.open(url)
    assert words in str(caught.value)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "password", ["hun/ter2", "hun?ter2", "hun#ter2", "hun:ter2", "hun,ter2", "hun[ter2", "hun%2ter2"]
)
def test_a_password_that_should_have_been_escaped_is_never_quoted(scheme: str, password: str) -> None:
    def said() -> str:
        try:
            return repr(parse(f"{scheme}user:{password}@host/service?ssl_ca_certs=x"))
        except ValueError as error:
            return "".join(traceback.format_exception(error, limit=0))

    assert "hun" not in said()
    assert "ter2" not in said()


def test_the_setting_takes_every_form_and_names_them_all() -> None:
    for scheme in SCHEMES:
        load({"SSO_REDIS_URL": f"{scheme}host"})
    with pytest.raises(ConfigError) as caught:
        load({"SSO_REDIS_URL": "http://:hunter2@host"})
    (problem,) = caught.value.problems
    assert problem == f"SSO_REDIS_URL: must begin with one of {', '.join(SCHEMES)}"
    assert load({"SSO_REDIS_REPLICAS": "1"}).redis_replicas == 1
    with pytest.raises(ConfigError):
        load({"SSO_REDIS_REPLICAS": "-1"})
