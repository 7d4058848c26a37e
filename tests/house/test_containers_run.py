"""The container files carried out without an engine: the image's steps, then each service behind its walls with its own
command, and a sign-in through them. What stands in for an engine is tests/support/{boxes,dockerfile,compose}.py.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.house.sources import ROOT
from tests.support import compose, dockerfile
from tests.support.boxes import MEMORY, Image, Walls, find_boxes, own_network, python_image
from tests.support.browser import Browser
from tests.support.centre import wait_until
from tests.support.postgres import find_postgres

# With the services' markers a skip is a failure in CI, this one too (tests/conftest.py).
pytestmark = [
    pytest.mark.engines,
    pytest.mark.redis,
    pytest.mark.postgres,
    pytest.mark.skipif(find_boxes() is None, reason="needs root and Linux namespaces (unshare, overlay)"),
]
PASSWORD = "correct horse battery"
CENTRE, ONE, TWO = (
    f"http://{host}" for host in ("centre.localhost:9000", "site-one.localhost:9001", "site-two.localhost:9002")
)
# What the official image does before it starts the server, as far as this file relies on it.
POSTGRES_ENTRYPOINT = """set -e
PGDATA=/var/lib/postgresql/data
if [ ! -s $PGDATA/PG_VERSION ]; then
    initdb -D $PGDATA --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth=trust $POSTGRES_INITDB_ARGS
    echo 'host all all all scram-sha-256' >$PGDATA/pg_hba.conf
    echo 'local all all trust' >>$PGDATA/pg_hba.conf
    echo "listen_addresses = '*'" >>$PGDATA/postgresql.conf
    pg_ctl -D $PGDATA -w start -o "-c listen_addresses='' -p 5432"
    createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl -D $PGDATA -m fast -w stop
fi
export PGDATA
exec "$@"
"""


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """Outside pytest's own, which lets nobody else in, and in memory, as layers over the root must be."""
    with tempfile.TemporaryDirectory(prefix="boxes-", dir=MEMORY) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def image(directory: Path) -> Image:
    """The Dockerfile's, from exactly the files that it copies."""
    python = python_image(directory)
    try:
        return dockerfile.build(ROOT, lambda _: python)
    except subprocess.CalledProcessError as error:
        pytest.fail(f"{error.stdout}\n{error.stderr}")


@pytest.fixture
def up(request: pytest.FixtureRequest, directory: Path, image: Image) -> Iterator[compose.Project]:
    """A profile's services, stopped at the end."""
    services = compose.read((ROOT / "docker-compose.yml").read_text(encoding="utf-8"), request.param)
    home = directory / request.param
    home.mkdir()
    servers = {"redis": server_image(home, "redis", "/data"), "postgres": postgres_image(home)}
    with own_network():
        project = compose.Project(home, services, lambda name: servers.get(name.split(":")[0], image))
        try:
            project.up()
            yield project
        finally:
            for container in project.containers.values():
                container.process.kill()
                container.process.wait()
            shutil.rmtree(home, ignore_errors=True)


def server_image(directory: Path, name: str, data: str) -> Image:
    """Stands in for an official image: this machine's program, the image's uid 999 and its folder."""
    image = Image(directory).with_layer(f"{name}-image")
    layer = image.layers[0]
    (layer / "etc").mkdir()
    others = [line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith(f"{name}:")]
    (layer / "etc/passwd").write_text("\n".join([*others, f"{name}:x:999:999::/:/bin/sh"]) + "\n")
    folder = layer / data.lstrip("/")
    folder.mkdir(parents=True)
    shutil.chown(folder, 999, 999)
    return image


def postgres_image(directory: Path) -> Image:
    """With the first steps of the official image's entry point."""
    image = server_image(directory, "postgres", "/var/lib/postgresql/data")
    image.layers[0].joinpath("var/lib/postgresql/data").chmod(0o700)
    path = f"{find_postgres()}:{image.env['PATH']}"
    entrypoint = ("sh", "-c", POSTGRES_ENTRYPOINT, "entrypoint")
    return replace(image, env={**image.env, "PATH": path, "PGDATA": "/var/lib/postgresql/data"}, entrypoint=entrypoint)


def test_the_image_holds_the_command_and_no_sources_and_nobody_can_write_to_it(directory: Path, image: Image) -> None:
    walls = Walls(user=image.user, read_only=True, no_capabilities=True, no_new_privileges=True, tmpfs=("/tmp",))

    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        command = image.command(argv, layer=directory / "looked-at", walls=walls)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert "serve" in run("sso", "--help").stdout
    assert run("sh", "-c", "command -v sso").stdout.strip() == "/opt/lockstep/bin/sso"
    assert run("python", "-c", "import psycopg, redis, hiredis").stderr == ""
    assert "Read-only file system" in run("touch", "/opt/lockstep/new").stderr
    assert image.find("/src") is None


@pytest.mark.parametrize("up", ["full", "embedded"], indirect=True)
def test_somebody_signs_in_at_both_sites_and_out_of_both(up: compose.Project) -> None:
    centre = next(up.containers[name] for name in ("centre", "embedded-centre") if name in up.containers)
    # As docs/docker.md says: the link stands in the log.
    browser = Browser().open(re.findall(r"http\S+/setup\S+", centre.text())[-1])
    browser.submit("/setup", username="root", new=PASSWORD, repeat=PASSWORD)
    browser.open(f"{ONE}/account")
    if "/sign-in" in browser.url:
        browser.sign_in("root", PASSWORD)
    assert browser.url == f"{ONE}/account"
    assert browser.open(f"{TWO}/account").url == f"{TWO}/account"

    for container in up.containers.values():
        if container.process.poll() is None:
            assert rights(container.process.pid) == {
                "Uid": container.service["user"].split(":")[0],
                "Eff": 0,
                "Bnd": 0,
                "NoNewPrivs": "1",
            }
            assert "Read-only file system" in container.run("touch", "/usr/new").stderr
    # Nobody's password is anybody else's to read, and none stands in a process's environment.
    if "redis" in up.containers:
        assert up.containers["redis"].run("cat", "/secrets/redis/users.acl").stdout.startswith("user default off")
        assert "#" in up.containers["redis"].run("cat", "/secrets/redis/users.acl").stdout
        assert "NOAUTH" in up.containers["redis"].run("redis-cli", "dbsize").stdout
        password = up.containers["postgres"].run("cat", "/secrets/postgres/password").stdout
        assert len(password) == 64
        assert password not in Path(f"/proc/{centre.process.pid}/environ").read_text()
        assert password in centre.run("cat", "/secrets/centre/database-url").stdout

    browser.open(f"{ONE}/").submit("/sso/logout")
    # Told within seconds, not at once.
    wait_until(lambda: "/sign-in" in browser.open(f"{TWO}/account").url, seconds=60, why="site two to hear")
    codes = up.down()
    assert {name: code for name, code in codes.items() if code} == {}


def rights(pid: int) -> dict[str, object]:
    """What the kernel says of a process."""
    lines = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    return {
        "Uid": lines["Uid"].split()[0],
        "Eff": int(lines["CapEff"], 16),
        "Bnd": int(lines["CapBnd"], 16),
        "NoNewPrivs": lines["NoNewPrivs"],
    }
