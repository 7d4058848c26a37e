"""A TOML or JSON file of clients: read, checked as a whole, every problem named at once. What is done about it is
`client_apply`'s.

Secrets never stand in it: it names files that hold them, or their SHA-256.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sso_server.cli.client_options import kind_of, problem_of_ways
from sso_server.cli.metadata_options import read_keys
from sso_server.cli.metadata_wishes import MEMBERS, type_of
from sso_server.cli.registration import changed_client, new_client
from sso_server.config import Settings
from sso_server.core.clients import CAS, KINDS, Client, ClientSecret, check_audience, check_services_free
from sso_server.core.errors import InvalidRequest
from sso_server.core.identifiers import digest
from sso_server.core.records import record

_TYPES: dict[str, type] = {
    "client_id": str,
    "site": str,
    "protocol": str,
    "name": str,
    "backchannel_logout_uri": str,
    "delivery": str,
    "id_token_alg": str,
    "redirect_uris": list,
    "post_logout_redirect_uris": list,
    "cas_services": list,
    "cas_logout_uri": str,
    "cas_proxy_callbacks": list,
    "cas_attributes": list,
    "scopes": list,
    "public": bool,
    "refresh_tokens": bool,
    "allow_private": bool,
    "lease": int,
    "grace": int,
    "local_session_max": int,
    "access_token": str,
    "audience": list,
    "secret_files": list,
    "secret_sha256": list,
    "jwks_file": str,
    **{name: type_of(name) for name in MEMBERS if name != "jwks"},
}
_WANTED = {list: "a list of strings", str: "a string", bool: "true or false", int: "a whole number"}
_SECRET_KEYS = ("secret_files", "secret_sha256")
_SHORTEST_SECRET = 32
_WITH_METADATA = ("redirect_uris", "post_logout_redirect_uris", "site", "public", "id_token_alg", "refresh_tokens")
_HEADING = re.compile(r"^[ \t]*\[\[[ \t]*client[ \t]*\]\]", re.MULTILINE)


@record
class Wish:
    """One client as a file wants it."""

    client_id: str
    values: Mapping[str, Any]
    secrets: tuple[ClientSecret, ...] | None
    """None: it says nothing of them."""
    where: str
    """For people: `client 'shop' (line 12)`."""
    problems: tuple[str, ...]
    """Of form. What is right of it is looked at all the same, so that one problem doesn't hide the others."""


def read_wishes(path: Path) -> list[Wish]:
    """The clients that a file names: `[[client]]` tables in TOML, {"client": [...]} in JSON.

    Raises InvalidRequest if there are none to be found; what is wrong with one of them stands in its wish.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise InvalidRequest(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{path} is not valid {'JSON' if path.suffix == '.json' else 'TOML'}: {error}.") from error
    entries = content.get("client") if isinstance(content, dict) and set(content) == {"client"} else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidRequest(f'{path} needs a list of clients and nothing else: [[client]] in TOML, "client" in JSON.')
    lines = [text.count("\n", 0, found.start()) + 1 for found in _HEADING.finditer(text)]
    names = [entry.get("client_id") for entry in entries]
    wishes = []
    for number, entry in enumerate(entries):
        # Headings inside of a text of several lines would be counted, too: then no line is better than a wrong one.
        line = lines[number] if len(lines) == len(entries) and path.suffix != ".json" else 0
        where = f"Client {names[number] or f'no. {number + 1}'!s}" + (f" (line {line})" if line else "")
        found = list(_problems_of_form(entry))
        if "client_id" in entry and names.index(names[number]) < number:
            found.append("this client_id is named twice.")
        values = {name: tuple(v) if type(v) is list else v for name, v in entry.items() if _is_of_type(name, v)}
        secrets = _secrets(values, path.parent, found)
        known = {name: v for name, v in values.items() if name not in ("client_id", "jwks_file", *_SECRET_KEYS)}
        known |= _keys(values, path.parent, found)
        wishes.append(Wish(str(values.get("client_id", "")), known, secrets, where, tuple(found)))
    return wishes


def check_wishes(
    path: Path, wishes: Sequence[Wish], settings: Settings, now: int, known: Mapping[str, Client]
) -> list[Client]:
    """The records that the file asks for, secrets where it names them. `known`: clients that stay beside them.

    Raises InvalidRequest with every problem, one a line.
    """
    wanted, problems = [], []
    for wish in wishes:
        found = [*wish.problems, *_problems_of_sense(wish, settings, now)]
        problems += [f"{wish.where}: {problem}" for problem in found]
        if not found:
            client = new_client(wish.client_id, wish.values, settings, now)
            wanted.append(replace(client, secrets=wish.secrets or () if client.takes_secret else ()))
    if not problems:
        everybody = {**known, **{client.client_id: client for client in wanted}}
        for wish, client in zip(wishes, wanted, strict=True):
            found = _problem_of(check_audience, client, everybody) + _problem_of(check_services_free, client, everybody)
            problems += [f"{wish.where}: {problem}" for problem in found]
    _refuse(path, problems)
    return wanted


def _problems_of_form(entry: Mapping[str, Any]) -> Iterator[str]:
    for name, value in entry.items():
        if name in ("secret", "secrets", "client_secret"):
            # A file like this one is kept with the source: it is the last place for a secret.
            yield f"{name!r}: a secret doesn't belong into this file; name a file in secret_files, or secret_sha256."
        elif name not in _TYPES:
            near = difflib.get_close_matches(name, _TYPES, n=1)
            yield f"there is no key {name!r}" + (f"; did you mean {near[0]!r}?" if near else ".")
        elif not _is_of_type(name, value):
            yield f"{name} must be {_WANTED[_TYPES[name]]}."
    if "client_id" not in entry:
        yield "client_id is missing."
    if entry.get("public") is True and any(name in entry for name in _SECRET_KEYS):
        yield "a public client has no secret."


def _is_of_type(name: str, value: object) -> bool:
    """Whether there is such a key, and this may stand there."""
    if type(value) is not _TYPES.get(name):
        return False
    return not isinstance(value, list) or all(type(each) is str for each in value)


def _problems_of_sense(wish: Wish, settings: Settings, now: int) -> Iterator[str]:
    """Each key is tried alone on a client that is right, so that one problem doesn't hide the others."""
    if problem := problem_of_ways(wish.values):
        yield problem
        return
    kind = kind_of(wish.values)
    if kind not in KINDS:
        yield f"protocol {kind!r} is not one of {', '.join(KINDS)}."
        return
    address = "cas_services" if kind == CAS else "redirect_uris"
    right = new_client("right", {address: ("https://right.example/",)}, settings, now)
    # Of metadata much is right or wrong only with the rest of it.
    together = {name: value for name, value in wish.values.items() if name in (*_WITH_METADATA, *MEMBERS)}
    together = together if any(name in MEMBERS for name in together) else {}
    alone = [{name: value} for name, value in wish.values.items() if name != "audience" and name not in together]
    alone += [together] if together else []
    found = [problem for one in alone for problem in _problem_of(changed_client, right, one)]
    if wish.client_id:
        found += _problem_of(changed_client, replace(right, client_id=wish.client_id), {})
    yield from found
    if not found and not wish.problems:
        yield from _problem_of(new_client, wish.client_id, wish.values, settings, now)
    if kind == CAS and wish.secrets is not None and "site" not in wish.values:
        yield "a CAS service without the SDK has no secret."


def _problem_of(check: Any, *args: Any) -> list[str]:
    try:
        check(*args)
    except InvalidRequest as error:
        return [error.description]
    return []


def _secrets(values: Mapping[str, Any], directory: Path, problems: list[str]) -> tuple[ClientSecret, ...] | None:
    if not any(name in values for name in _SECRET_KEYS):
        return None
    hashes = [each.lower() for each in values.get("secret_sha256", ())]
    # Which one, and not what stands there: it may be the secret itself, and this goes to the log of whoever runs it.
    problems += [
        f"secret_sha256 no. {number} is not 64 hexadecimal digits."
        for number, each in enumerate(hashes, 1)
        if not _is_sha256(each)
    ]
    for name in values.get("secret_files", ()):
        try:
            secret = (directory / name).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            problems.append(f"cannot read the secret in {name}: {getattr(error, 'strerror', None) or error}.")
            continue
        if len(secret) < _SHORTEST_SECRET:
            # At rest there is a plain SHA-256 of it: only what nobody can guess is safe like that.
            problems.append(f"the secret in {name} has less than {_SHORTEST_SECRET} characters.")
        hashes.append(digest(secret))
    if not hashes:
        problems.append("it names no secret: leave out secret_files and secret_sha256 to have one made.")
    return tuple(ClientSecret(h) for h in dict.fromkeys(hashes))


def _keys(values: Mapping[str, Any], directory: Path, problems: list[str]) -> dict[str, str]:
    """What a client's public keys are; as text, as with the option."""
    if not (name := values.get("jwks_file")):
        return {}
    try:
        return {"jwks": read_keys(directory / name)}
    except (OSError, ValueError) as error:
        problems.append(f"cannot read the keys in {name}: {getattr(error, 'strerror', None) or error}.")
        return {}


def _is_sha256(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def _refuse(path: Path, problems: Sequence[str]) -> None:
    if len(problems) == 1:
        raise InvalidRequest(problems[0])
    if problems:
        raise InvalidRequest("\n".join([f"{path} has {len(problems)} problems:", *(f"  {line}" for line in problems)]))
