"""docs/redis.md against a Redis in which the whole story has just happened."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from sso_server.core.policy import MINUTE
from tests.stores.redis.story import NOW, Story, new_redemption, new_report, new_session, new_ticket

PAGE = (Path(__file__).parents[3] / "docs/redis.md").read_text(encoding="utf-8")
KINDS = re.findall(r"^\| `(<prefix>:[^`]+)` \| (\w+) \| .*? \| (.*?) \|$", PAGE, flags=re.MULTILINE)
FIELDS = {
    kind: set(re.findall(r"`(\w+(?:/<client>)?)`", fields))
    for kind, fields in re.findall(r"^\| (\w+)(?: \(JSON\))? \| (`\w+`.*) \|$", PAGE, flags=re.MULTILINE)
}
COMMANDS = re.findall(r"^\$ redis-cli (.*)$", PAGE, flags=re.MULTILINE)
PLACEHOLDERS = {
    "prefix": "{prefix}",
    "NN": r"([0-5][0-9]|6[0-3])",
    "sid": r"sid-\d\d-[a-z2-7]{{32}}",
    "digest": r"[0-9a-f]{{64}}",
    "site": r"[\w.-]+/(st-[a-z2-7]{{32}})?",
    "client": r"[\w.-]+",
    # A client's id, where it is for itself.
    "user": r"[\w.-]+",
    "counter": r"[\w:]+",
    "name": r"[\w:]+",
    "n": r"\d{{1,3}}",
}


def documented(key: str, prefix: str) -> tuple[str, str] | None:
    """Type and life that the page gives for this key."""
    for pattern, kind, life in KINDS:
        parts = re.split(r"<(\w+)>", pattern)
        regex = "".join(
            PLACEHOLDERS[part].format(prefix=prefix) if i % 2 else re.escape(part) for i, part in enumerate(parts)
        )
        if re.fullmatch(regex, key):
            return kind, life
    return None


@pytest.fixture
def seen(stores, raw, prefix):
    """Every key that stood in Redis after some step: key -> type, whether it expires, fields."""
    keys: dict[str, tuple[str, bool, dict[str, str]]] = {}
    for _ in Story(stores).steps():
        for key in raw.scan_iter(f"{prefix}:*", count=1000):
            kind = raw.type(key)
            fields = raw.hgetall(key) if kind == "hash" else {}
            keys[key] = (kind, raw.pttl(key) > 0, fields | keys.get(key, ("", False, {}))[2])
    return keys


def test_every_key_is_documented_with_its_type_and_its_life(seen, prefix):
    wrong = []
    for key, (kind, expires, _) in seen.items():
        known = documented(key, prefix)
        if known is None or known[0] != kind or known[1].startswith("expires") != expires:
            wrong.append((key, kind, expires, known))
    assert wrong == []


def test_every_documented_key_was_seen(seen, prefix):
    found = {documented(key, prefix) for key in seen}
    assert {(kind, life) for _, kind, life in KINDS} - found == set()


def test_every_key_carries_exactly_one_hash_tag(seen):
    assert [key for key in seen if len(re.findall(r"\{[^{}]+\}", key)) != 1 or key.count("{") != 1] == []


def test_every_field_is_documented(seen):
    unknown = []
    for key, (_, _, fields) in seen.items():
        kind = key.split("}:")[1].split(":")[0]
        if kind in ("sites", "stores"):
            names = {name for value in fields.values() for name in json.loads(value)}
        else:
            names = {re.sub(r"/[\w.-]+$", "/<client>", name) for name in fields}
        unknown += [(kind, name) for name in names - FIELDS.get(kind, set())]
    assert unknown == []


def test_the_session_walked_through_by_hand_is_there(stores, raw, prefix):
    sid, user_id = "sid-17-mzqhv2ldw4n5tcy7pk3xjeo6abfirsgu", "usr-alice" + "e" * 27
    session = replace(new_session(17, user_id=user_id), sid=sid)
    stores.sessions.open(session, NOW, MINUTE)
    for client_id, changes in (("shop", {}), ("blog", {"store_id": "", "logout_uri": "https://blog.example/logout"})):
        ticket = new_ticket(session, client_id)
        stores.tickets.put(ticket)
        stores.tickets.redeem(new_redemption(ticket, **changes), NOW)
    stores.check_ins.check_in(new_report(), NOW, 10)
    ended = [command for command in COMMANDS if command.startswith("HMGET")]

    for command in COMMANDS:
        if command in ended:
            stores.sessions.end(sid, "sign_out", NOW)
        answer = raw.execute_command(*command.replace("lockstep:", f"{prefix}:").split())
        assert answer not in (None, [], {}, 0, [None, None]), command
    assert len(ended) == 1
