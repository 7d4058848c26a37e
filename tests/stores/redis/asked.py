"""Asking a store that may not answer: why not, and whether it does."""

from collections.abc import Callable

import pytest

from sso_server.core.errors import Unavailable
from sso_server.stores.redis.keys import ALL_BUCKETS

#: A key in each bucket.
BUCKETS = [f"lockstep:{{b{bucket:02d}}}" for bucket in ALL_BUCKETS]


def detail(act: Callable[[], object]) -> str:
    with pytest.raises(Unavailable) as caught:
        act()
    return caught.value.detail


def works(act: Callable[[], object]) -> bool:
    try:
        act()
    except Unavailable:
        return False
    return True
