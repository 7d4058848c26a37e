"""How much memory a local session takes in Redis: `python scripts/local_store_memory.py redis://127.0.0.1:6379/15`.

Opens sessions under a client of its own, looks at `used_memory`, and takes them away again. Use a Redis that is idle.
"""

import sys
from dataclasses import replace

from sso_client.clock import SystemClock
from sso_client.identifiers import hashed, new_secret
from sso_client.records import LocalSession, Tokens
from sso_client.stores.redis import open_redis_store
from sso_client.stores.redis_link import RedisLink

COUNT = 10_000
ISSUER, CLIENT = "https://sso.example.com", "memory-of-a-session"


def main(url: str) -> None:
    clock = SystemClock()
    names = {"issuer": ISSUER, "client_id": CLIENT, "clock": clock}
    link, store = RedisLink(url, **names), open_redis_store(url, **names)
    raw, now_ms = link.redis, clock.wall_ms()
    claims = {"sub": "usr-" + "a" * 32, "name": "Alice Example", "preferred_username": "alice", "groups": ["staff"]}
    session = LocalSession(
        "", None, str(claims["sub"]), "e" * 800, 0, claims, True, 1, now_ms, now_ms + 86_400_000, now_ms, 0, True, "17"
    )
    tokens = Tokens("a" * 43, now_ms + 300_000, "r" * 43)
    sizes = [raw.info("memory")["used_memory"]]
    for with_tokens in (False, True):
        for _ in range(COUNT):
            sid = f"sid-07-{new_secret()[:32]}"
            opened = replace(session, cookie_hash=hashed(new_secret()), sid=sid)
            store.sessions.open(opened, None, tokens=tokens if with_tokens else None)
        sizes.append(raw.info("memory")["used_memory"])
    for what, before, after in (("", *sizes[:2]), (" with tokens", *sizes[1:])):
        print(f"a session{what}: {(after - before) // COUNT} bytes")
    for key in raw.scan_iter(f"{link.prefix}:*", count=1000):
        raw.delete(key)
    store.close()
    link.close()


if __name__ == "__main__":
    main(sys.argv[1])
