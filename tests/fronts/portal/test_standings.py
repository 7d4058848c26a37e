"""The words of the report for every standing, as a pure function of ledger rows and the time."""

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask_babel import Babel

from sso_server.core.notifications import Notification, State
from sso_server.core.reports import SiteLine, Standing
from sso_server.fronts.portal.standings import Report, report

NOW = 1_790_000_000_000
ROW = Notification(
    "sid", "shop", "", "oidc", "https://shop.example/logout", "usr", "sign_out", NOW, NOW + 9_000_000, State.PENDING
)
LINE = SiteLine("shop", "Shop", "https://shop.example/", "", Standing.TRYING_NO_BOUND, None, ROW)


def shown(*lines: SiteLine, now: int = NOW, **more: Any) -> Report:
    app = Flask(__name__)
    Babel(app)
    with app.test_request_context():
        return report(list(lines), now, **more)


def line(standing: Standing, *, safe_in_s: int | None = None, **row: Any) -> SiteLine:
    safe_at = NOW + safe_in_s * 1000 if safe_in_s is not None else None
    return replace(LINE, standing=standing, safe_at=safe_at, notification=replace(ROW, **row))


FAILED = {"last_error": "timeout"}
WORDS = {
    "a site that took it": (line(Standing.SIGNED_OUT, state=State.ACKNOWLEDGED), "Signed out", ""),
    "on its way, bounded": (line(Standing.TRYING, safe_in_s=58), "Being told", "Safe in 58 seconds at the latest."),
    "cut off": (line(Standing.TRYING, safe_in_s=58, **FAILED), "Can't be reached, safe in 58 seconds", "Until then"),
    "in its last moment": (line(Standing.TRYING, safe_in_s=0, **FAILED), "Can't be reached, safe in 1 second", ""),
    "cut off and over": (line(Standing.SAFE, safe_in_s=0, **FAILED), "Can't be reached, but safe", "It lets nobody in"),
    "not told yet, no lease": (line(Standing.SAFE, safe_in_s=0), "Safe", "It lets nobody in"),
    "on its way, no bound": (line(Standing.TRYING_NO_BOUND), "Being told", "How long this site takes isn't known."),
    "fails, no bound": (line(Standing.TRYING_NO_BOUND, **FAILED), "Still trying", "The site doesn't answer."),
    "answers 404, no bound": (
        line(Standing.TRYING_NO_BOUND, last_error="http_404", last_status=404), "Still trying", "The site answers, but",
    ),
    "its site answered others 503": (
        line(Standing.TRYING_NO_BOUND, last_error="http_503"), "Still trying", "The site answers, but",
    ),
    "may not be called": (
        line(Standing.TRYING_NO_BOUND, last_error="http_forbidden", sends=1), "Still trying", "The site doesn't answer",
    ),
    "asks by itself": (line(Standing.TRYING_NO_BOUND, kind="poll"), "Hasn't asked yet", "Nobody can say when"),
    "no address": (line(Standing.NOT_TOLD, state=State.NO_ADDRESS), "Can't be told", "Please sign out there yourself."),
    "refused": (line(Standing.NOT_TOLD, state=State.REFUSED), "Couldn't be told", "didn't accept"),
    "given up by hand": (line(Standing.NOT_TOLD, state=State.ABANDONED, last_error="by:root"), "Not told", "stopped"),
    "run out": (line(Standing.OVER, state=State.MOOT), "Over", "by itself"),
}  # fmt: skip


@pytest.mark.parametrize("case", WORDS)
def test_every_standing_has_its_words(case: str) -> None:
    given, words, detail = WORDS[case]
    (found,) = shown(given).lines
    assert found.words == words
    assert detail in found.detail
    assert "root" not in found.detail, "who gave it up is the administrators' business"


def test_the_seconds_count_down_to_safe() -> None:
    cut_off = line(Standing.TRYING, safe_in_s=3, **FAILED)
    words = [shown(cut_off, now=NOW + ms).lines[0].words.rsplit("safe in ")[-1] for ms in (0, 1, 1000, 1999, 2999)]
    assert words == ["3 seconds", "3 seconds", "2 seconds", "2 seconds", "1 second"]


@pytest.mark.parametrize(
    ("standings", "summary"),
    [
        ([], "No other site took part in this session."),
        (["signed_out"], "The one site you used is signed out."),
        (["signed_out", "over"], "All 2 sites you used are signed out."),
        (["signed_out", "safe"], "Nobody can go on at the sites you used: none lets anybody in without asking here."),
        (["trying", "trying_no_bound"], "Your sites are being told."),
        (["not_told", "not_told"], "Your sites could not be told."),
        (["signed_out", "trying", "not_told"], "1 of 3 sites are signed out."),
        (["signed_out", "safe", "not_told"], "2 of 3 sites let nobody in any more."),
    ],
)
def test_the_sentence_above_never_says_more_than_the_lines(standings: list[str], summary: str) -> None:
    lines = [replace(line(Standing(s), safe_in_s=9), client_id=f"c{n}") for n, s in enumerate(standings)]
    assert shown(*lines).summary == summary


def test_a_site_in_two_sessions_or_with_two_stores_stands_as_its_worst() -> None:
    found = shown(line(Standing.SIGNED_OUT), line(Standing.TRYING, safe_in_s=5), line(Standing.TRYING, safe_in_s=50))
    assert [shown_line.words for shown_line in found.lines] == ["Being told"]
    assert "50 seconds" in found.lines[0].detail


def test_the_page_goes_on_asking_as_long_as_something_can_change() -> None:
    assert shown(line(Standing.SIGNED_OUT)).finished
    assert not shown(line(Standing.SIGNED_OUT), still_open=1).finished
    assert not shown(line(Standing.TRYING_NO_BOUND)).finished
    # It lets nobody in, and hears why one day: what the page says of it isn't its last word.
    assert [shown(line(s)).waiting for s in (Standing.SAFE, Standing.SIGNED_OUT, Standing.OVER)] == [True, False, False]
    # A site that was given up stays as it is until somebody presses the button; another of its stores may yet hear.
    given_up = [line(Standing.SAFE, state=state) for state in (State.ABANDONED, State.REFUSED)]
    assert not shown(*given_up).waiting
    assert shown(*given_up, line(Standing.SAFE)).waiting
    assert not shown(line(Standing.SAFE), line(Standing.NOT_TOLD, state=State.NO_ADDRESS)).waiting
    assert [shown(line(s, safe_in_s=9)).counting for s in (Standing.TRYING, Standing.SAFE)] == [True, False]


@pytest.mark.parametrize(
    ("row", "offered"),
    [
        ({"next_attempt_at": NOW + 1, **FAILED}, True),
        ({"next_attempt_at": NOW, **FAILED}, False),
        ({"next_attempt_at": NOW + 1}, False),
        ({"state": State.CLAIMED, "claimed_until": NOW + 1, **FAILED}, False),
        ({"state": State.ABANDONED, "last_error": "http_404/3"}, True),
        ({"state": State.ABANDONED, "last_error": "http_404/3", "logout_uri": ""}, False),
        ({"state": State.ACKNOWLEDGED, "last_status": 200}, False),
        ({"state": State.REFUSED, "local_until": NOW, **FAILED}, False),
    ],
)
def test_another_try_is_offered_only_where_it_would_change_something(row: dict[str, Any], offered: bool) -> None:
    assert shown(line(Standing.TRYING_NO_BOUND, **row)).can_retry is offered
