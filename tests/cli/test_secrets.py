"""`sso secret` and what keys need of it: each step leaves everything readable."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from sso_server.cli import main
from sso_server.stores.sql import migrate
from tests.cli.conftest import Sso, settings_at


@pytest.fixture(scope="module")
def with_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose centre has signed before."""
    directory = tmp_path_factory.mktemp("keys") / "data"
    with closing(Sso(settings_at(directory)).built()) as built:
        migrate.upgrade(built.settings.sql_url)
        built.signing_keys.ensure_keys()
    return directory


@pytest.fixture
def keyed(sso: Sso, with_keys: Path) -> Sso:
    """A copy of it."""
    shutil.copytree(with_keys, sso.env["SSO_DATA_DIR"])
    return sso


def kept(sso: Sso) -> list[str]:
    return (Path(sso.env["SSO_DATA_DIR"]) / "secret-key").read_text().split(",")


def test_the_kept_secret_is_exchanged_in_three_steps(keyed: Sso) -> None:
    (old,) = kept(keyed)
    keyed.run("secret", "add")
    assert kept(keyed)[0] == old, "nobody writes with it before everybody can read it"
    keyed.run("secret", "promote")
    new = kept(keyed)[0]
    assert kept(keyed) == [new, old]
    assert "sso key reseal" in keyed.run("secret", "drop", code=1).stderr
    assert kept(keyed) == [new, old]
    assert keyed.json("key", "reseal") == {"resealed": 3, "unreadable": []}
    assert keyed.json("key", "reseal") == {"resealed": 0, "unreadable": []}
    keyed.run("secret", "drop")
    assert kept(keyed) == [new]
    with closing(keyed.built()) as built:
        built.signing_keys.ensure_keys()
    path = Path(keyed.env["SSO_DATA_DIR"]) / "secret-key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.glob("secret-key*")] == ["secret-key"]


def test_a_step_that_is_repeated_does_not_put_the_old_secret_back(keyed: Sso) -> None:
    (old,) = kept(keyed)
    keyed.run("secret", "add")
    assert "sso secret promote" in keyed.run("secret", "drop", code=1).stderr, "the new one isn't forgotten for the old"
    keyed.run("secret", "promote")
    new = kept(keyed)[0]
    assert "nothing was changed" in keyed.run("secret", "promote").stdout
    assert kept(keyed) == [new, old]
    keyed.run("key", "reseal")
    assert keyed.json("secret", "promote")["change"] == "none"
    names = [row["fingerprint"] for row in keyed.json("secret", "list")]
    assert f"Forgotten: {names[1]}." in keyed.run("secret", "drop").stdout
    assert kept(keyed) == [new]
    again = keyed.run("secret", "drop").stdout
    assert again.endswith("There is no other: nothing was changed.\n"), "no process has to be started anew for that"


def test_of_several_new_secrets_the_newest_writes_also_the_next_time(keyed: Sso) -> None:
    keyed.run("secret", "add")
    keyed.run("secret", "add")
    newest = kept(keyed)[2]
    keyed.run("secret", "promote")
    assert kept(keyed)[0] == newest
    keyed.run("secret", "add")
    newer = kept(keyed)[3]
    keyed.run("secret", "promote")
    assert kept(keyed)[:2] == [newer, newest]
    assert newer.partition(".")[0] == "3"


def test_the_listing_says_what_each_secret_does_and_none_of_them(keyed: Sso) -> None:
    keyed.run("secret", "add")
    first, second = keyed.json("secret", "list")
    assert (first["writes"], first["keys"]) == (True, 3)
    assert (second["writes"], second["keys"]) == (False, 0)
    shown = keyed.run("secret", "list").stdout
    assert first["fingerprint"] in shown
    assert not any(secret in shown for secret in kept(keyed))


def test_a_single_secret_is_not_promoted(keyed: Sso) -> None:
    assert "sso secret add" in keyed.run("secret", "promote", code=1).stderr


@pytest.mark.parametrize("step", ["add", "promote", "drop"])
def test_a_secret_of_the_settings_is_changed_there(keyed: Sso, step: str) -> None:
    there = Sso({**keyed.env, "SSO_SECRET_KEY": kept(keyed)[0]})
    assert "change it there" in there.run("secret", step, code=1).stderr


def keys_of_check(sso: Sso) -> str:
    """What `sso check` says of them, whatever else it finds."""
    said = json.loads(CliRunner().invoke(main, ["check", "--json"], env=sso.env).stdout)
    return "".join(line for line in (*said["good"], *said["problems"]) if "signing key" in line)


def test_check_says_that_a_key_still_needs_an_older_secret(keyed: Sso) -> None:
    (old,) = kept(keyed)
    rotated = Sso({**keyed.env, "SSO_SECRET_KEY": f"{'n' * 40},{old}"})
    assert "3 of them with an older secret only: sso key reseal" in keys_of_check(rotated)
    rotated.run("key", "reseal")
    assert keys_of_check(rotated) == "The signing keys can be read."
    assert keys_of_check(Sso({**keyed.env, "SSO_SECRET_KEY": "n" * 40})) == "The signing keys can be read."


def test_reseal_names_what_nobody_can_read(keyed: Sso) -> None:
    lost = Sso({**keyed.env, "SSO_SECRET_KEY": "l" * 40})
    kids = [key["kid"] for key in keyed.json("key", "list")]
    refused = lost.run("key", "reseal", code=1).stderr
    assert all(kid in refused for kid in kids)


def test_a_key_that_leaked_is_taken_nowhere_and_another_signs_at_once(keyed: Sso) -> None:
    with closing(keyed.built()) as built:
        token = built.signing_keys.sign({"sub": "alice"}, alg="ES256", typ="JWT")
    leaked = next(key["kid"] for key in keyed.json("key", "list") if key["alg"] == "ES256")
    assert "--yes" in keyed.run("key", "retire", leaked, code=2).stderr
    done = keyed.json("key", "retire", leaked, "--yes")
    with closing(keyed.built()) as built:
        assert built.signing_keys.verify(token) is None
        fresh = built.signing_keys.sign({"sub": "alice"}, alg="ES256", typ="JWT")
        assert built.signing_keys.verify(fresh) == {"sub": "alice"}
        assert leaked not in {jwk["kid"] for jwk in built.signing_keys.jwks()}
        assert done["heir"]["kid"] in {jwk["kid"] for jwk in built.signing_keys.jwks()}
    assert "sso key list" in keyed.run("key", "retire", "nobody", code=1).stderr
