"""Where a test's stores live, so that a second instance, in this process or another, opens the same ones."""

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Place:
    """`engine` is sqlite, postgresql or redis; the prefix keeps tests on one redis-server apart."""

    engine: str
    url: str
    prefix: str = ""

    def open(self) -> Any:
        if self.engine == "redis":
            from sso_server.stores.redis import RedisStores

            return RedisStores.open(self.url, prefix=self.prefix)
        from sso_server.stores.sql import SqlStores

        return SqlStores.open(self.url)

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> "Place":
        return cls(**json.loads(text))
