"""Which steps write: what waits for replicas must be all that changes something."""

import re
from pathlib import Path

import pytest

from sso_server.stores.redis import scripts
from sso_server.stores.redis.calls import READING_SCRIPTS, command, step

FOLDER = Path(scripts.__file__).parent / "scripts"
NAMES = sorted(path.stem for path in FOLDER.glob("[a-z]*.lua"))
READS = {
    *("EXISTS", "GET", "HEXISTS", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "HRANDFIELD", "INFO", "LRANGE", "PTTL"),
    *("TIME", "ZCARD", "ZCOUNT", "ZRANGE", "ZRANGEBYLEX", "ZRANGEBYSCORE", "ZSCORE"),
}


def writes(name: str) -> bool:
    """By its text: whether a command that writes can be reached from the script's own lines."""
    text = scripts.load(name).source
    bodies = dict(re.findall(r"^local function (\w+)\([^)]*\)\n(.*?)^end$", text, re.MULTILINE | re.DOTALL))
    main = re.sub(r"^local function .*?^end$", "", text, flags=re.MULTILINE | re.DOTALL)
    writing: set[str] = set()

    def is_writing(body: str) -> bool:
        commands = set(re.findall(r"redis\.p?call\(\s*'(\w+)'", body))
        assert "redis.call(" not in re.sub(r"redis\.call\(\s*'", "", body), f"{name}: a command that can't be read"
        return bool(commands - READS) or any(re.search(rf"\b{called}\(", body) for called in writing)

    while more := {called for called, body in bodies.items() if called not in writing and is_writing(body)}:
        writing |= more
    return is_writing(main)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_counts_as_reading_only_if_it_writes_nothing(name: str) -> None:
    assert step(name, "key").writes is writes(name)


def test_every_reading_script_is_one() -> None:
    assert set(NAMES) >= READING_SCRIPTS


def test_commands() -> None:
    reading = [("HGETALL", "k"), ("ZCARD", "k"), ("ZCOUNT", "k", 0, 1), ("EXISTS", "k"), ("TIME",), ("SCAN", 0)]
    writing = [("SET", "k", 1), ("DEL", "k"), ("HSET", "k", "f", "v"), ("PEXPIRE", "k", 1), ("ZREM", "k", "m")]
    assert not any(command(*words).writes for words in reading)
    assert all(command(*words).writes for words in writing)


def test_a_call_knows_whose_server_it_is_for() -> None:
    assert command("HGET", "key", "field").key == "key"
    assert step("touch", "bucket", 1).key == "bucket"
    assert command("TIME", at="key").key == "key"
    assert command("TIME").key == ""
