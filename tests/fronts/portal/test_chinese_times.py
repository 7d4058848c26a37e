"""Waits and sites in Chinese sentences: a space round figures, none between its own words."""

from pathlib import Path

import pytest
from flask import Flask
from flask_babel import Babel, gettext

import sso_server.fronts.portal
from sso_server.core.events import Event, EventKind
from sso_server.fronts.portal.ledger.words import by_hand_in_words
from sso_server.fronts.portal.times import moment, wait_words

TRANSLATIONS = Path(sso_server.fronts.portal.__file__).parent / "translations"
NOW = 1_790_000_000_000


@pytest.fixture
def chinese():
    app = Flask(__name__)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    Babel(app, locale_selector=lambda: "zh_Hans_CN")
    with app.test_request_context():
        yield


def test_a_wait_stands_in_its_sentence_as_people_write_it(chinese: None) -> None:
    assert gettext("Can't be reached, safe in %(wait)s", wait=wait_words(55)) == "无法连接，55 秒后安全"
    assert gettext("Safe in %(wait)s at the latest.", wait=wait_words(55)) == "最迟 55 秒后安全。"
    assert gettext("Try again in %(wait)s.", wait=wait_words(170)) == "请在 3 分钟后重试。"
    assert moment(NOW - 300_000, NOW).words == "5 分钟前"


@pytest.mark.parametrize(("site", "words"), [("", "重新通知了所有站点。"), ("Wiki", "重新通知了 Wiki。")])
def test_what_was_done_by_hand_names_a_site_or_all_of_them(chinese: None, site: str, words: str) -> None:
    event = Event(NOW, EventKind.NOTIFICATION_RETRIED, actor="admin:root")
    assert by_hand_in_words(event, site).endswith(words)
