"""The last access token of each visitor, kept beyond their signing out, which no real site should do.

The demo does, to show what such a token is worth then. Files, because the site's workers share nothing else.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


class Memory:
    """One folder, empty at every start. A visitor has a random name, which is in a cookie."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()

    def keep(self, visitor: str, token: str) -> None:
        """Instead of the visitor's last one."""
        path = self._path(visitor)
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(token, encoding="ascii")
        fresh.replace(path)

    def find(self, visitor: str | None) -> str | None:
        """The visitor's last token."""
        try:
            return self._path(visitor).read_text(encoding="ascii") if visitor else None
        except OSError:
            return None

    def _path(self, visitor: str) -> Path:
        return self._folder / hashlib.sha256(visitor.encode()).hexdigest()
