"""A site that says which host it runs on: `BOOT_ID` stands for the machine's own, `BOOT_AHEAD_MS` for its clock."""

import os

from flask import Flask

from sso_client.clock import SystemClock
from sso_client.flask import SSO


class HostClock:
    """This machine's clock as another one's."""

    def __init__(self, boot_id: str, ahead_ms: int) -> None:
        self._boot_id, self._ahead_ms, self._real = boot_id, ahead_ms, SystemClock()

    def wall_ms(self) -> int:
        return self._real.wall_ms()

    def boot_ms(self) -> int:
        return self._real.boot_ms() + self._ahead_ms

    def boot_id(self) -> str:
        return self._boot_id


def create_app() -> Flask:
    """Settings from the environment, as always."""
    app = Flask(__name__)
    SSO(app, clock=HostClock(os.environ["BOOT_ID"], int(os.environ["BOOT_AHEAD_MS"])))
    return app
