"""Instants and waits in the reader's language. No page can know the reader's clock: it says how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from flask_babel import format_datetime, format_timedelta, gettext

from sso_server.core.policy import DAY, MINUTE
from sso_server.core.records import record


@record
class Moment:
    """An instant for `<time>`: `5 minutes ago`, the same in UTC, the same for machines."""

    words: str
    exact: str
    iso: str


def moment(then: int, now: int) -> Moment:
    """`then` as seen at `now` (both ms)."""
    instant = datetime.fromtimestamp(then / 1000, UTC)
    exact = gettext("%(time)s UTC", time=format_datetime(instant, "medium", rebase=False))
    return Moment(_ago(now - then), str(exact), instant.isoformat(timespec="seconds").replace("+00:00", "Z"))


def wait_words(seconds: int) -> str:
    """`40 seconds`, `3 minutes`: rounded up, so that nobody tries too early."""
    if seconds >= 120:
        seconds = -(-seconds // 60) * 60
    return _set(format_timedelta(timedelta(seconds=max(1, seconds)), threshold=2))


def _ago(age: int) -> str:
    if age < MINUTE:
        return str(gettext("just now"))
    granularity = "minute" if age < DAY else "day"
    return _set(format_timedelta(timedelta(milliseconds=-age), granularity=granularity, add_direction=True))


def _set(words: str) -> str:
    """Chinese as the rest of the pages set it: `55 秒`, where the locale's data has `55秒钟`."""
    return re.sub(r"(\d)(?=[\u4e00-\u9fff])", r"\1 ", words.replace("秒钟", "秒"))
