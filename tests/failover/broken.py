"""Faulty parts, each breaking one guarantee: the counting must notice. Run as a program it is `sso serve` with them:
`python -m tests.failover.broken PARTS BIND`.
"""

import os
import sys
from typing import Any

from flask import Flask

from sso_server import config
from sso_server.app import create_app
from sso_server.cli import serve
from sso_server.cli.processes import Child
from sso_server.core.fence import Fence
from sso_server.core.restoring import Restoring
from sso_server.logs import configure_logs

#: name -> what is wrong with it.
PARTS = {
    "open-fence": "a Redis that nobody has put right yet is used",
    "tickets-stay": "tickets issued before a restoration are good after it",
    "revocations-stay-lost": "revocations aren't repeated",
}
_VARIABLE = "FAILOVER_PARTS"


def wire(parts: str) -> None:
    """In this process."""
    for part in parts.split("+"):
        assert part in PARTS, part
    if "open-fence" in parts:
        Fence.admits = lambda *_: True  # type: ignore[method-assign]
    if "tickets-stay" in parts:
        Restoring.__init__ = _with_tickets_that_stay(Restoring.__init__)  # type: ignore[method-assign]
    if "revocations-stay-lost" in parts:
        Restoring._revoke_after = lambda _, number: number  # type: ignore[method-assign]


def create() -> Flask:
    """What gunicorn loads."""
    wire(os.environ[_VARIABLE])
    return create_app()


def _with_tickets_that_stay(real: Any) -> Any:
    def init(self: Restoring, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        self._tickets = _Kept()  # type: ignore[assignment]

    return init


class _Kept:
    """A ticket store that voids nothing."""

    def void_all(self, *_: Any) -> None:
        pass


def main() -> int:
    """Two workers and a delivery process, all with the faulty parts."""
    if sys.argv[1:2] == ["deliver"]:
        wire(os.environ[_VARIABLE])
        return serve.deliver(config.load())
    parts, bind = sys.argv[1:]
    settings = config.load()
    configure_logs(settings.log_format)
    serve.prepare(settings)
    env = {**os.environ, _VARIABLE: parts}
    delivery = Child("delivery", (sys.executable, "-m", "tests.failover.broken", "deliver"), env)
    return serve.supervise([serve.web_child(bind, 2, env, app="tests.failover.broken:create()"), delivery])


if __name__ == "__main__":
    sys.exit(main())
