"""The engines that stores run on, and where a test's stores live, so that a second instance opens the same ones."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

#: engine -> the markers of a test that runs on it; `redis` is one server, `cluster` three masters
ENGINES: dict[str, tuple[str, ...]] = {
    "sqlite": (),
    "redis": ("redis",),
    "postgresql": ("postgres", "engines"),
    "cluster": ("redis", "engines"),
    "sentinel": ("redis", "engines"),
}
#: Those that keep accounts; the others keep sessions only.
SQL_ENGINES = ("sqlite", "postgresql")
#: What `make test` runs on.
USUAL = ("sqlite", "redis")


@dataclass(frozen=True)
class Place:
    """`engine` is one of ENGINES; the prefix keeps tests on one Redis (or cluster) apart."""

    engine: str
    url: str
    prefix: str = ""

    def open(self) -> Any:
        if self.engine not in SQL_ENGINES:
            from sso_server.stores.redis import RedisStores
            from tests.support.services import patient

            return RedisStores.open(patient(self.url), prefix=self.prefix)
        from sso_server.stores.sql import SqlStores

        return SqlStores.open(self.url)

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> "Place":
        return cls(**json.loads(text))


def params(engines: Iterable[str]) -> list[Any]:
    """Values for a parametrized fixture, each with its engine's markers."""
    import pytest

    return [pytest.param(name, id=name, marks=[getattr(pytest.mark, m) for m in ENGINES[name]]) for name in engines]
