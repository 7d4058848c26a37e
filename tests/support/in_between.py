"""What happens at the worst moment: just before something is done for the first time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def before(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, happens: Callable[[], object]) -> None:
    """Something happens the first time that this is called, and before it does anything."""
    real, left = getattr(owner, name), [happens]

    def call(*args: Any, **more: Any) -> Any:
        if left:
            left.pop()()
        return real(*args, **more)

    monkeypatch.setattr(owner, name, call)
