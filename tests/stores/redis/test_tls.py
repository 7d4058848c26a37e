"""Redis over TLS: a certificate that is verified, one that isn't, and a client's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from sso_server.core.errors import Unavailable
from sso_server.stores.redis import RedisStores
from sso_server.stores.redis.link import Call, Link
from tests.stores.redis.story import Story
from tests.support.certificates import Authority, make_authority
from tests.support.deliveries import eventually
from tests.support.ports import free_port
from tests.support.services import OwnRedis, running_redis

pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = make_authority(tmp_path_factory.mktemp("authority"))
    for name in ("127.0.0.1", "client"):
        made.context(name)
    return made


@pytest.fixture(scope="module")
def port(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a server whose clients must show a certificate of the same authority."""
    port = free_port()
    own = str(authority.directory / "127.0.0.1.pem")
    options = ("--tls-port", str(port), "--tls-cert-file", own, "--tls-key-file", own)
    with running_redis(tmp_path_factory.mktemp("tls"), *options, "--tls-ca-cert-file", authority.ca_file):
        yield port


def client_of(authority: Authority) -> str:
    own = authority.directory / "client.pem"
    return f"&ssl_certfile={own}&ssl_keyfile={own}"


def refusal(address: str) -> str:
    stores = RedisStores.open(address)
    with pytest.raises(Unavailable) as caught:
        stores.health.store_time()
    stores.close()
    return caught.value.detail


def test_the_whole_story_over_tls_with_both_sides_verified(authority: Authority, port: int) -> None:
    stores = RedisStores.open(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={authority.ca_file}{client_of(authority)}")
    assert list(Story(stores).steps())[-1] == "store_time"
    stores.close()


def test_a_server_of_another_authority_is_refused(authority: Authority, port: int, tmp_path: Path) -> None:
    other = make_authority(tmp_path).ca_file
    said = refusal(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={other}{client_of(authority)}")
    assert "CERTIFICATE_VERIFY_FAILED" in said.upper().replace(" ", "_")
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(f"rediss://127.0.0.1:{port}/0").upper().replace(" ", "_")


def test_a_server_with_another_name_is_refused(authority: Authority, port: int) -> None:
    address = f"rediss://localhost:{port}/0?ssl_ca_certs={authority.ca_file}{client_of(authority)}"
    assert "ostname mismatch" in refusal(address)
    stores = RedisStores.open(f"{address}&ssl_check_hostname=false")
    assert stores.health.store_time() > 0
    stores.close()


def test_a_client_without_its_certificate_is_refused(authority: Authority, port: int) -> None:
    assert refusal(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={authority.ca_file}").startswith("Redis: ")


def test_a_server_without_tls_is_not_talked_to(authority: Authority, redis_url: str) -> None:
    plain = redis_url.replace("redis://", "rediss://")
    assert refusal(f"{plain}?ssl_ca_certs={authority.ca_file}").startswith("Redis: ")


def test_a_connection_is_kept_over_tls_too(authority: Authority, port: int) -> None:
    link = Link(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={authority.ca_file}{client_of(authority)}")
    numbers = {link.send(Call(("CLIENT", "ID"))) for _ in range(5)}
    assert len(numbers) == 1
    link.close()


def tls(authority: Authority, port: int) -> tuple[str, ...]:
    """Options of a server that speaks nothing but TLS to its own kind, too."""
    own = str(authority.directory / "127.0.0.1.pem")
    files = ("--tls-cert-file", own, "--tls-key-file", own, "--tls-ca-cert-file", authority.ca_file)
    return ("--tls-port", str(port), *files, "--tls-replication", "yes", "--tls-cluster", "yes")


@pytest.mark.engines
def test_a_cluster_over_tls(authority: Authority, tmp_path: Path) -> None:
    port = free_port()
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()), *tls(authority, port))
    with running_redis(tmp_path, *options) as plain, redis.Redis.from_url(plain) as raw:
        raw.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        eventually(lambda: raw.cluster("info").get("cluster_state") == "ok")
        query = f"ssl_ca_certs={authority.ca_file}{client_of(authority)}"
        stores = RedisStores.open(f"rediss+cluster://127.0.0.1:{port}?{query}")
        assert list(Story(stores).steps())[-1] == "store_time"
        assert [master.name for master in stores._link.masters()] == [f"127.0.0.1:{port}"]
        stores.close()


@pytest.mark.engines
def test_sentinels_over_tls(authority: Authority, tmp_path: Path) -> None:
    port, sentinel_port = free_port(), free_port()
    file = tmp_path / "sentinel" / "sentinel.conf"
    file.parent.mkdir()
    file.write_text(f"sentinel monitor lockstep 127.0.0.1 {port} 1\n")
    master = OwnRedis(tmp_path / "master", *tls(authority, port))
    sentinel = OwnRedis(file.parent, *tls(authority, sentinel_port), mode=(str(file), "--sentinel"))
    try:
        master.start()
        sentinel.start()
        query = f"ssl_ca_certs={authority.ca_file}{client_of(authority)}"
        stores = RedisStores.open(f"rediss+sentinel://127.0.0.1:{sentinel_port}/lockstep/0?{query}")
        assert list(Story(stores).steps())[-1] == "store_time"
        stores.close()
        said = refusal(f"redis+sentinel://127.0.0.1:{sentinel_port}/lockstep/0")
        assert "no sentinel names a master" in said
    finally:
        sentinel.kill()
        master.kill()
