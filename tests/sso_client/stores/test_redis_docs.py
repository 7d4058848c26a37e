"""The tables of docs/sdk-stores.md, in both languages, against a Redis in which every step has just been done."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from sso_client.clock import Instant
from sso_client.records import CheckInAnswer, Denied, End, Event, Tokens
from tests.support.sdk import a_session

pytestmark = pytest.mark.redis

DOCS = Path(__file__).parents[3] / "docs"
PAGES = [DOCS / "sdk-stores.md", DOCS / "sdk-stores.zh.md"]
PLACEHOLDERS = {"tag": r"\{{sso:{client}:[0-9a-f]{{12}}\}}", "host": "boot-one", "digest": r"[0-9a-f]{{64}}"}
PLACEHOLDERS["name"] = r"[\w-]{{43}}"
NOW = Instant(1_800_000_000_000, 5_000_000, "boot-one")


def keys_of(page: Path) -> dict[str, tuple[str, bool]]:
    """Pattern of a key -> its type, and whether it expires."""
    rows = re.findall(r"^\| `(<tag>:[^`]+)` \| (\w+) \| .*? \| (.*?) \|$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {pattern: (kind, life.startswith(("expires", "过期"))) for pattern, kind, life in rows}


def fields_of(page: Path) -> dict[str, set[str]]:
    text = page.read_text("utf-8")
    found = re.findall(r"^\| ([a-z]+) \| (`\w+`.*) \|$", text, flags=re.MULTILINE)
    found += re.findall(r"^`(about)` (?:is JSON: |是 JSON：)(.*?)[.。]", text, flags=re.MULTILINE)
    return {kind: set(re.findall(r"`(\w+)`", names)) for kind, names in found}


@pytest.fixture
def seen(redis_store, redis_place, raw):
    """Every key and field that stood in Redis after some step: name without the tag -> type, expires, fields."""
    found: dict[str, tuple[str, bool, set[str]]] = {}

    def look() -> None:
        for key in raw.scan_iter(f"*:{redis_place.client_id}:*", count=1000):
            kind = raw.type(key)
            fields = raw.hgetall(key) if kind == "hash" and "watermarks" not in key else {}
            names = set(fields) | found.get(key, ("", False, set()))[2]
            if "about" in fields:
                assert set(json.loads(fields["about"])) == fields_of(PAGES[0])["about"]
            found[key] = (kind, raw.pttl(key) > 0, names)

    store, wall = redis_store, NOW.wall_ms
    ok = CheckInAnswer((), False, "mark", 0, 60_000, 0, 60_000, "epoch", (Denied("sid", None, wall + 9),), 7)
    cookies = [f"{number:064x}" for number in range(4)]
    for cookie in cookies:
        session = replace(a_session(cookie_hash=cookie), served_at_ms=2000)
        store.sessions.open(session, None, None, Tokens("access", 5, "refresh"))
    store.tokens.take_renewal(cookies[0], NOW)
    store.journal.take_turn(NOW, 1000)
    store.pages.keep("/", wall)
    store.events.record(Event(1, "kind", "text"))
    look()
    store.journal.apply(replace(ok, more=True, epoch="older"), store.journal.gather(wall, True), NOW)
    look()
    store.journal.apply(
        replace(ok, ends=(End("other", "sign_out", 5),)), store.journal.gather(wall, True, anew=True), NOW
    )
    store.journal.note_failure("unreachable", NOW)
    store.sessions.end_here(cookies[1], wall, True)
    store.inbox.end_by_sub("usr-b", 100, "jti", wall)
    store.sessions.find(cookies[0], wall)
    look()
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_key_and_field_is_documented_and_every_documented_one_is_there(page: Path, seen, redis_place) -> None:
    documented, met, fields = keys_of(page), set(), dict[str, set[str]]()
    for key, (kind, expires, names) in seen.items():
        for pattern, said in documented.items():
            parts = re.split(r"<(\w+)>", pattern)
            regex = "".join(
                PLACEHOLDERS[part].format(client=re.escape(redis_place.client_id)) if i % 2 else re.escape(part)
                for i, part in enumerate(parts)
            )
            if re.fullmatch(regex, key):
                assert (kind, expires) == said, key
                met.add(pattern)
                if names:
                    fields.setdefault(parts[2].strip(":"), set()).update(names)
                break
        else:
            pytest.fail(f"{key} is not documented")
    assert met == set(documented)
    expected = {kind: names for kind, names in fields_of(page).items() if kind != "about"}
    assert fields == expected
