"""Private PostgreSQL servers, made in a moment from one initdb: stopped, killed, frozen, copied to a standby, promoted.

PostgreSQL refuses to run as root, and pytest's directories are root's alone: the data lives in a directory of its own
beside them, under an unprivileged uid; the directory that a test names gets the server's log.
"""

import atexit
import contextlib
import functools
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.ports import free_port

#: The role that the centre's addresses name: no superuser, owner of the databases that `create_database` makes.
ROLE, PASSWORD = "lockstep", "between-us-and-the-database"
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# The superuser needs no password on this machine, the role does.
_WHO_MAY = """local all all trust
host replication postgres samenet trust
host all postgres samenet trust
host all all samenet scram-sha-256
"""
_numbers = itertools.count(1)


@functools.cache
def find_postgres() -> str | None:
    """The directory of initdb and postgres, the newest where there are several, or None."""
    in_path = shutil.which("initdb")
    # Debian leaves them out of PATH, and may link a single one of them into it.
    found = [Path(in_path).resolve().parent] if in_path else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    return next((str(path) for path in found if (path / "initdb").exists() and (path / "postgres").exists()), None)


def _program(name: str) -> str:
    directory = find_postgres()
    assert directory is not None, "PostgreSQL is not installed (scripts/system-parts installs it as root)"
    return f"{directory}/{name}"


@functools.cache
def _identity() -> dict[str, Any]:
    """What subprocess needs to run a program under a uid that may be a server."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise RuntimeError("no unprivileged uid to run PostgreSQL as")


def _new_home() -> Path:
    """Short, because the path of a Unix socket has at most 107 bytes, and reachable for the server's uid."""
    home = Path(tempfile.mkdtemp(prefix="lockstep-pg-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    if identity := _identity():
        os.chown(home, identity["user"], identity["group"])
    home.chmod(0o755)
    return home


def _run(*command: str, cwd: Path, text: str = "") -> None:
    done = subprocess.run(
        command, input=text, text=True, capture_output=True, check=False, cwd=cwd, timeout=120, **_identity()
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")


def _make_cluster(home: Path) -> None:
    """Small log segments: a copy has 24 MB instead of 40."""
    options = ("--username=postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "--wal-segsize=1")
    data = str(home / "data")
    _run(_program("initdb"), "-D", data, "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", *options, cwd=home)
    statement = f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'"
    _run(_program("postgres"), "--single", "-D", data, "postgres", cwd=home, text=statement)
    (home / "data/pg_hba.conf").write_text(_WHO_MAY)


@functools.cache
def _template() -> Path:
    home = _new_home()
    _make_cluster(home)
    return home / "data"


class Postgres:
    """One server on one port and one data directory; not started yet."""

    def __init__(self, directory: Path, settings: dict[str, str], *, home: Path, host: str = "127.0.0.1") -> None:
        """`home` holds `data`; `settings` are the server's own, by name."""
        directory.mkdir(parents=True, exist_ok=True)
        self.host = host
        self.port = free_port()
        self.log = directory / "postgres.log"
        self.settings = dict(settings)
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, name: str = "postgres", user: str = ROLE, **options: str) -> str:
        """As SSO_DATABASE_URL wants it; `options` are libpq's, such as sslmode."""
        password = f":{PASSWORD}" if user == ROLE else ""
        return f"postgresql://{user}{password}@{self.host}:{self.port}/{name}" + _query(options)

    def admin_url(self, name: str = "postgres") -> str:
        """The superuser's, over the Unix socket, for psycopg."""
        return f"postgresql://postgres@/{name}?host={self._home}&port={self.port}"

    def create_database(self, name: str = "", *, template: str = "template1") -> str:
        """A new database of the role `lockstep`; its URL."""
        name = name or f"lockstep_{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template}")
        return self.url(name)

    def sql(self, statement: str, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        """One statement as the superuser, outside a transaction; its rows."""
        import psycopg

        with psycopg.connect(self.admin_url(database), autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(statement, values or None)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def configure(self, **settings: str) -> None:
        """Change settings that need no restart."""
        for name, value in settings.items():
            quoted = value.replace("'", "''")
            self.sql(f"ALTER SYSTEM SET {name} = '{quoted}'")
        self.sql("SELECT pg_reload_conf()")

    def use_certificate(self, certificate: Path, key: Path) -> None:
        """Offer TLS from the next start; whether clients take it their URL says."""
        for source, name in ((certificate, "server.crt"), (key, "server.key")):
            target = self._home / name
            target.write_bytes(source.read_bytes())
            target.chmod(0o600)
            if identity := _identity():
                os.chown(target, identity["user"], identity["group"])
        self.settings |= {
            "ssl": "on",
            "ssl_cert_file": str(self._home / "server.crt"),
            "ssl_key_file": str(self._home / "server.key"),
        }

    def start(self, *, wait: bool = True) -> None:
        """Returns when it answers questions, crash recovery included; with `wait=False` at once."""
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": str(self._home),
            # In the data directory: what a killed one leaves goes with it.
            "dynamic_shared_memory_type": "mmap",
            **self.settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [_program("postgres"), "-D", str(self._home / "data"), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._home,
                **_identity(),
            )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self, timeout_s: float = 60) -> None:
        """Until it answers a question."""
        import psycopg

        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self.sql("SELECT 1")
                return
            except psycopg.OperationalError:
                dead = self._process is not None and self._process.poll() is not None
                if dead or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL doesn't start: {self.log.read_text()[-2000:]}") from None
                time.sleep(0.02)

    def stop(self) -> None:
        """Fast: who is connected is sent away, what is committed is kept."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """kill -9 of every process; nothing is written any more."""
        if self._process is None:
            return
        # The first one first: else it would see a child crash and begin to put things right.
        everybody = self._processes()
        self._signal(everybody, signal.SIGKILL)
        self._process.wait(timeout=20)
        deadline = time.monotonic() + 20
        while any(_is_alive(pid) for pid in everybody[1:]):
            assert time.monotonic() < deadline, "a process of PostgreSQL outlives kill -9"
            time.sleep(0.01)
        self._process = None

    def freeze(self) -> None:
        """It neither works nor goes away, until `thaw`."""
        self._signal(self._processes(), signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it stood."""
        self._signal(self._processes(), signal.SIGCONT)

    def standby(self, directory: Path, **settings: str) -> "Postgres":
        """A hot standby that streams from this server, not started yet; `synchronous_standby_names` calls it
        `walreceiver`."""
        home = _new_home()
        source = ("-h", self.host, "-p", str(self.port), "-U", "postgres", "--no-password")
        options = ("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
        _run(_program("pg_basebackup"), *source, "-D", str(home / "data"), *options, cwd=home)
        # Certificates and the like are named by where they are; a standby reads its primary's as well.
        return Postgres(directory, {**self.settings, **settings}, home=home, host=self.host)

    def promote(self) -> None:
        """Returns when it takes writes."""
        assert self.sql("SELECT pg_promote(true, 30)") == [(True,)], "not promoted within 30 s"

    def copy_to(self, directory: Path) -> "Postgres":
        """A server on a copy of what is on the disk now, not started yet: a backup of a stopped one, or a snapshot of
        the machine of a running one."""
        home = _new_home()
        _run("cp", "-a", str(self._home / "data"), str(home / "data"), cwd=home)
        (home / "data/postmaster.pid").unlink(missing_ok=True)
        return Postgres(directory, self.settings, home=home, host=self.host)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(number)
        try:
            self._process.wait(timeout=20)
            self._process = None
        except subprocess.TimeoutExpired:
            self.kill()

    def _processes(self) -> list[int]:
        """The first one and its children (each is the leader of a session of its own)."""
        assert self._process is not None
        found = [self._process.pid]
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, IndexError, ValueError):
                    # After the name, which may have any character in it: state, parent, ...
                    if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == self._process.pid:
                        found.append(int(entry.name))
        return found

    @staticmethod
    def _signal(pids: list[int], number: signal.Signals) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def remove(self) -> None:
        """The data, after the end."""
        self._end(signal.SIGINT)
        with contextlib.suppress(OSError, IndexError):
            # One that was killed and not started again has left its mark in the kernel: "key id" on the seventh line.
            mark = (self._home / "data/postmaster.pid").read_text().splitlines()[6].split()[1]
            subprocess.run(["ipcrm", "-m", mark], capture_output=True, check=False, timeout=10)
        shutil.rmtree(self._home, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    """Neither gone nor waiting for whoever counts the dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _query(options: dict[str, str]) -> str:
    return "?" + "&".join(f"{name}={value}" for name, value in options.items()) if options else ""


def make_postgres(
    directory: Path, *, fast: bool = False, fresh: bool = False, host: str = "127.0.0.1", **settings: str
) -> Postgres:
    """A server, not started yet. `fast`: it needn't survive a crash. `fresh`: with a system identifier of its own
    (others made here share one, as if one were the other's copy). `settings`: PostgreSQL's own, by name."""
    home = _new_home()
    if fresh:
        _make_cluster(home)
    else:
        _run("cp", "-a", str(_template()), str(home / "data"), cwd=home)
    return Postgres(directory, {**(_FAST if fast else {}), **settings}, home=home, host=host)


@contextlib.contextmanager
def running_postgres(
    directory: Path, *, fast: bool = False, fresh: bool = False, **settings: str
) -> Iterator[Postgres]:
    """A server that answers; stopped by its pid, its data removed."""
    server = make_postgres(directory, fast=fast, fresh=fresh, **settings)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@contextlib.contextmanager
def running_standby(primary: Postgres, directory: Path, **settings: str) -> Iterator[Postgres]:
    """A hot standby that answers and streams, the only one of `primary`; stopped and removed."""
    server = primary.standby(directory, **settings)
    try:
        server.start()
        # It answers before it has asked its primary for anything.
        deadline = time.monotonic() + 30
        while not primary.sql("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the standby doesn't stream: {server.log.read_text()[-2000:]}")
            time.sleep(0.02)
        yield server
    finally:
        server.remove()
