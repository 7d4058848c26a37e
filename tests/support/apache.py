"""A private Apache with Debian's mod_auth_cas: its own configuration, logs and cookies in one directory.

It runs as an unprivileged user, as everywhere, and pytest's directories are root's alone: so it lives beside them.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.ports import wait_until_listening
from tests.support.survivors import end_with_us

_MODULES = Path("/usr/lib/apache2/modules")
#: In the order in which they may be loaded; the last one is the subject.
_NEEDED = ("mpm_event", "authn_core", "authz_core", "authz_user", "dir", "env", "headers", "ssl", "auth_cas")
# What the module knows of a person reaches the tests in headers of the answer.
_AROUND = """
ServerRoot {directory}
ServerName {host}:{port}
Listen 127.0.0.1:{port}
PidFile {directory}/apache.pid
ErrorLog {directory}/error.log
DefaultRuntimeDir {directory}
DocumentRoot {directory}/pages
StartServers 2
ThreadsPerChild 8
MaxRequestWorkers 32
{modules}
<Directory {directory}/pages>
    Require all granted
</Directory>
Header always set X-User "expr=%{{REMOTE_USER}}"
Header always set X-Groups "expr=%{{req:CAS-groups}}"
Header always set X-Name "expr=%{{req:CAS-name}}"
Include {directory}/auth_cas.conf
"""


@cache
def find_apache() -> str | None:
    """The path of an Apache that has mod_auth_cas, or None. Debian has it where only root looks."""
    path = shutil.which("apache2", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    return path if path and all((_MODULES / f"mod_{name}.so").exists() for name in _NEEDED) else None


@contextlib.contextmanager
def running_apache(
    host: str, port: int, configuration: str, pages: dict[str, str], files: dict[str, str]
) -> Iterator[Path]:
    """An Apache that shows `pages`. Its configuration ends with `configuration`, where `@HERE@` stands for a directory
    with `files` and an empty `cookies/`. Yields that directory when it listens; stopped by its pid."""
    program = find_apache()
    assert program is not None, "Apache with mod_auth_cas is not installed"
    with tempfile.TemporaryDirectory(prefix="lockstep-apache-", ignore_cleanup_errors=True) as place:
        directory = Path(place)
        modules = (name for name in _NEEDED if (_MODULES / f"mod_{name}.so").exists())
        loaded = "\n".join(f"LoadModule {name}_module {_MODULES}/mod_{name}.so" for name in modules)
        (directory / "apache.conf").write_text(
            _AROUND.format(directory=directory, host=host, port=port, modules=loaded)
        )
        (directory / "auth_cas.conf").write_text(configuration.replace("@HERE@", str(directory)))
        (directory / "cookies").mkdir()
        for name, text in {**files, **{f"pages/{name}": text for name, text in pages.items()}}.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
        directory.chmod(0o755)
        identity: dict[str, int] = {}
        if os.geteuid() == 0:
            identity = {"user": pwd.getpwnam("nobody").pw_uid, "group": pwd.getpwnam("nobody").pw_gid}
            for owned in (directory, directory / "cookies"):
                os.chown(owned, identity["user"], identity["group"])
        with (directory / "apache.log").open("ab") as log:
            process = subprocess.Popen(
                [program, "-f", str(directory / "apache.conf"), "-D", "FOREGROUND"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **identity,
            )
        end_with_us(process.pid)
        try:
            try:
                wait_until_listening(port, timeout_s=20)
            except TimeoutError:
                said = (directory / "apache.log").read_text()
                raise AssertionError(f"Apache doesn't listen: {said}") from None
            yield directory
        finally:
            process.terminate()
            process.wait(timeout=20)
