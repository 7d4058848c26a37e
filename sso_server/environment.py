"""The environment of processes: ours, and that of those we start or fork. The only reader of ours.

Which variables are settings, and what they mean, is config.py's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"


def environment_with(**variables: str) -> dict[str, str]:
    """Our environment and these."""
    return {**os.environ, **variables}


def child_environment(**variables: str) -> dict[str, str]:
    """The environment of a process that we start with settings of its own: ours without any `SSO_`, and these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SSO_")} | variables


def become(environment: Mapping[str, str]) -> None:
    """Of a fork: from now on this is our environment, as if we had been executed with it."""
    os.environ.clear()
    os.environ.update(environment)


def metrics_dir() -> Path | None:
    """Where the processes of one `sso serve` put their numbers; None: this process is alone. The name is
    prometheus_client's own, which looks for it as soon as it is imported."""
    path = os.environ.get(METRICS_DIR, "")
    return Path(path) if path else None
