"""`SSO_SECRET_KEY`: taken from the settings, or made once and kept in the data directory with mode 0600."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from sso_server.config import ConfigError, Settings

_FILE = "secret-key"


def prepare_data_dir(settings: Settings) -> Path:
    """The data directory, made with mode 0700 when absent. Raises ConfigError if it can't be written."""
    path = settings.data_dir
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = path / f".probe-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            probe.write_bytes(b"x")
        finally:
            # A full disk has room for the name and not for the byte.
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            [f"SSO_DATA_DIR: cannot write to {path}: {error.strerror}. Make it writable, or choose another."]
        ) from error
    return path


def secret_keys(settings: Settings) -> tuple[str, ...]:
    """The first writes, all read. Raises ConfigError."""
    given = tuple(k.strip() for k in settings.secret_key.get_secret_value().split(",") if k.strip())
    if given:
        return given
    path = prepare_data_dir(settings) / _FILE
    if not path.exists():
        # Written aside and linked: of two processes that start at once, one wins, and nobody reads half a key.
        fresh = path.with_name(f"{_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(48))
                file.flush()
                os.fsync(file.fileno())
            os.link(fresh, path)
        except FileExistsError:
            pass
        except OSError as error:
            raise ConfigError([f"SSO_SECRET_KEY: cannot write {path}: {error.strerror}"]) from error
        finally:
            fresh.unlink(missing_ok=True)
    try:
        return tuple(k.strip() for k in path.read_text(encoding="ascii").split(",") if k.strip())
    except OSError as error:
        raise ConfigError([f"SSO_SECRET_KEY: cannot read {path}: {error.strerror}"]) from error
