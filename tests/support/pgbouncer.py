"""PgBouncer between the centre and a PostgreSQL, sharing the server's connections between transactions."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.ports import free_port, wait_until_listening
from tests.support.postgres import PASSWORD, ROLE, Postgres


@cache
def find_pgbouncer() -> str | None:
    """The path of pgbouncer, or None. Debian has it where only root looks."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


@contextlib.contextmanager
def running_pgbouncer(server: Postgres, name: str, *, connections: int = 2) -> Iterator[str]:
    """The URL of the database `name` through a pooler that has so many connections to it; stopped by its pid."""
    program = find_pgbouncer()
    assert program is not None, "PgBouncer is not installed"
    port = free_port()
    # Like PostgreSQL it refuses to run as root, and pytest's directories are root's alone.
    with tempfile.TemporaryDirectory(prefix="lockstep-pgb-", ignore_cleanup_errors=True) as place:
        directory = Path(place)
        (directory / "users").write_text(f'"{ROLE}" "{PASSWORD}"\n')
        (directory / "pgbouncer.ini").write_text(
            f"[databases]\n{name} = host=127.0.0.1 port={server.port} dbname={name}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = scram-sha-256\n"
            f"auth_file = {directory}/users\npool_mode = transaction\ndefault_pool_size = {connections}\n"
            f"unix_socket_dir =\nlogfile = {directory}/log\n"
        )
        directory.chmod(0o755)
        identity: dict[str, int] = {}
        if os.geteuid() == 0:
            identity = {"user": pwd.getpwnam("nobody").pw_uid, "group": pwd.getpwnam("nobody").pw_gid}
            os.chown(directory, identity["user"], identity["group"])
        process = subprocess.Popen([program, "-q", str(directory / "pgbouncer.ini")], **identity)
        try:
            wait_until_listening(port, timeout_s=20)
            yield f"postgresql://{ROLE}:{PASSWORD}@127.0.0.1:{port}/{name}?pooler=transaction"
        finally:
            process.terminate()
            process.wait(timeout=20)
