"""Software that may register itself, once or for a while."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.support.registering import Software


@pytest.fixture
def software(app: Flask) -> Software:
    """With an initial access token for any number of clients."""
    return Software.at(app)
