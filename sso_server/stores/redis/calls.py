"""What is sent: one command, or one script on one key. Which of them write is known here."""

from __future__ import annotations

from sso_server.core.records import record
from sso_server.stores.redis.scripts import Script, load

READING_SCRIPTS = frozenset(
    {"find_by_cookie", "find_token", "list_claimed", "list_ended", "list_live", "registered", "rows", "slip_find"}
)
"""All others may write: what they have done is confirmed by replicas where replicas are asked for."""
_READING_COMMANDS = frozenset(
    {
        *("CLUSTER", "CONFIG", "EXISTS", "HGET", "HGETALL", "HMGET", "HSCAN", "INFO", "PING", "SCAN", "TIME"),
        *("ZCARD", "ZCOUNT", "ZRANGE", "ZREVRANGEBYSCORE"),
    }
)
_WITHOUT_KEY = frozenset({"CLUSTER", "CONFIG", "INFO", "PING", "SCAN", "TIME"})


@record
class Call:
    """One command; with a script, the call of that script on one key."""

    words: tuple[str | int, ...]
    script: Script | None = None
    key: str = ""
    """Whose server it is for. Empty: any; on a cluster that is none (Link.masters)."""

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return (
            self.words[0] not in _READING_COMMANDS if self.script is None else self.script.name not in READING_SCRIPTS
        )

    def by_source(self) -> tuple[str | int, ...]:
        """The same call for a server that doesn't know the script yet; it will know it from then on."""
        return self.words if self.script is None else ("EVAL", self.script.source, *self.words[2:])


def command(*words: str | int, at: str = "") -> Call:
    """A plain command. One without a key of its own (TIME) goes to the server of the key `at`."""
    return Call(words, key=at if words[0] in _WITHOUT_KEY else str(words[1]))


def step(name: str, key: str, *args: str | int) -> Call:
    """A script on the slot of this key."""
    script = load(name)
    return Call(("EVALSHA", script.sha, 1, key, *args), script, key)
