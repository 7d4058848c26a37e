"""`SSO_SECRET_KEY`: taken from the settings, or made once and kept in the data directory with mode 0600."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Sequence
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
        cure = "Make room there" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Make it writable"
        raise ConfigError(
            [f"SSO_DATA_DIR: cannot write to {path}: {error.strerror}. {cure}, or choose another."]
        ) from error
    return path


def secret_keys(settings: Settings) -> tuple[str, ...]:
    """The first writes, all read. Raises ConfigError."""
    if given := _split(settings.secret_key.get_secret_value()):
        return given
    prepare_data_dir(settings)
    path = kept_secret_file(settings)
    if not path.exists():
        # Written aside and linked: of two processes that start at once, one wins, and nobody reads half a key.
        fresh = path.with_name(f"{_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            _write(fresh, new_secret())
            os.link(fresh, path)
        except FileExistsError:
            pass
        except OSError as error:
            raise ConfigError([f"SSO_SECRET_KEY: cannot write {path}: {error.strerror}"]) from error
        finally:
            fresh.unlink(missing_ok=True)
    return _read(path)


def known_secrets(settings: Settings) -> tuple[str, ...]:
    """The same, but nothing is made: empty where there is none yet. Raises ConfigError."""
    path = kept_secret_file(settings)
    given = _split(settings.secret_key.get_secret_value())
    return given or (_read(path) if path.exists() else ())


def kept_secret_file(settings: Settings) -> Path:
    """Where the secret key is, or would be, without `SSO_SECRET_KEY`."""
    return settings.data_dir / _FILE


def keep_secrets(settings: Settings, secrets_in_order: tuple[str, ...]) -> None:
    """Write the kept file anew, in one step: the first writes, all read. Raises ConfigError."""
    path = kept_secret_file(settings)
    fresh = path.with_name(f"{_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        _write(fresh, ",".join(secrets_in_order))
        fresh.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            # The old file back after a power cut would have lost a key that something is sealed under by then.
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise ConfigError([f"SSO_SECRET_KEY: cannot write {path}: {error.strerror}"]) from error
    finally:
        fresh.unlink(missing_ok=True)


def new_secret(present: Sequence[str] = ()) -> str:
    """384 random bits, in characters that an environment variable and a comma-separated list may hold; next to others
    it says before them which one it is, so that `newest` knows it wherever it stands."""
    return (f"{max(map(_number, present)) + 1}." if present else "") + secrets.token_urlsafe(48)


def newest(present: Sequence[str]) -> str:
    """The one that was made last; of those that don't say, the last."""
    return max(reversed(present), key=_number)


def _number(secret: str) -> int:
    number, dot, _ = secret.partition(".")
    return int(number) if dot and number.isascii() and number.isdigit() else 0


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> tuple[str, ...]:
    try:
        return _split(path.read_text(encoding="ascii"))
    except OSError as error:
        raise ConfigError([f"SSO_SECRET_KEY: cannot read {path}: {error.strerror}"]) from error


def _split(text: str) -> tuple[str, ...]:
    return tuple(k.strip() for k in text.split(",") if k.strip())
