"""A centre that was backed up and went on: what `sso restore` is tried on."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sso_server import wiring
from sso_server.core.errors import InvalidGrant
from tests.cli.conftest import PASSWORD, SignedIn, Sso, settings_at, sign_in_at

LATER = "another good password"


@dataclass(frozen=True)
class Story:
    """alice was signed in when the backup was taken; since then she signed out, and much was changed."""

    sso: Sso
    database: Path
    file: Path
    signed_in: SignedIn

    @contextmanager
    def built(self) -> Iterator[wiring.Built]:
        built = self.sso.built()
        try:
            yield built
        finally:
            built.close()

    def restore(self, *more: str) -> Any:
        return self.sso.json("restore", str(self.file), "--yes", *more)

    def names(self) -> set[str]:
        return {user["username"] for user in self.sso.json("user", "list")}


def make_story(directory: Path, **settings: str) -> Story:
    sso = Sso({**settings_at(directory / "data"), **settings})
    for name in ("alice", "bob", "carol"):
        sso.run("user", "add", name, "--password-stdin", stdin=PASSWORD)
    sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000")
    with closing(sso.built()) as built:
        built.signing_keys.ensure_keys()
        signed_in = sign_in_at(built, "alice", "shop")
    file = directory / "backup"
    sso.run("backup", str(file))
    sso.run("session", "end", signed_in.sid)
    sso.run("user", "set-password", "bob", "--password-stdin", stdin=LATER)
    sso.run("user", "disable", "carol")
    sso.run("user", "add", "dora", "--password-stdin", stdin=PASSWORD)
    return Story(sso, directory / "data" / "lockstep.sqlite3", file, signed_in)


def copy_of(told: Story, directory: Path) -> Story:
    """The same story, for one test."""
    shutil.copytree(told.database.parent, directory / "data")
    shutil.copy(told.file, directory / "backup")
    sso = Sso(settings_at(directory / "data"))
    return replace(told, sso=sso, database=directory / "data" / "lockstep.sqlite3", file=directory / "backup")


def nobody_came_back(story: Story) -> None:
    """The session and the refresh token of the backup are dead."""
    ended = story.sso.json("session", "show", story.signed_in.sid)
    assert ended["end_reason"] == "store_restored"
    with story.built() as built:
        assert built.services.lists.count_live(built.services.clock.now()) == 0
        shop = built.services.clients.find("shop")
        assert shop is not None
        with pytest.raises(InvalidGrant):
            built.services.tokens.refresh(story.signed_in.refresh_token, shop, None)
