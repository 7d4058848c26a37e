"""Which language a page speaks, and that asking for a thousand costs nothing."""

from itertools import islice, product
from string import ascii_lowercase
from time import process_time

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sso_server.web.language import match_language


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("EN_us", "en"),
        ("zh", "zh_Hans_CN"),
        ("zh-CN", "zh_Hans_CN"),
        ("zh_Hans_CN", "zh_Hans_CN"),
        ("fr", None),
        ("english", None),
        ("", None),
        ("-en", None),
        ("*", None),
    ],
)
def test_the_first_subtag_decides(wish: str, language: str | None) -> None:
    assert match_language(wish) == language


@pytest.mark.parametrize(
    ("header", "lang"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"), ("fr,de;q=0.9,zh;q=0.8,en;q=0.1", "zh-Hans"), ("fr", "en"), ("", "en")],
)
def test_a_page_speaks_the_first_language_that_is_there(browser: FlaskClient, header: str, lang: str) -> None:
    page = browser.get("/sign-in", headers={"Accept-Language": header}).get_data(as_text=True)
    assert f'<html lang="{lang}"' in page


@pytest.mark.parametrize(
    ("back", "leads_to"),
    [("/device?user_code=A", "/device?user_code=A"), ("http://[", "/"), ("//[x", "/"), ("//evil.example/apps", "/")],
)
def test_the_switch_leads_back_to_a_page_of_ours(browser: FlaskClient, back: str, leads_to: str) -> None:
    answer = browser.get("/language", query_string={"to": "en", "back": back})
    assert (answer.status_code, answer.headers["Location"]) == (303, leads_to)


def test_a_thousand_wishes_cost_no_more_than_ten(app: Flask) -> None:
    def cost(header: str) -> float:
        begun = process_time()
        assert app.test_client().get("/sign-in", headers={"Accept-Language": header}).status_code == 200
        return process_time() - begun

    def wishes(first: str) -> str:
        tags = islice(product(ascii_lowercase, repeat=2), 676)
        return ",".join(f"{first}{a}-{a}{b}{b}{a}-{b.upper()}{a.upper()}" for a, b in tags)

    cost("fr")
    few = min(cost("fr,de,it") for _ in range(5))
    # Other tags each time: nothing is found in a cache.
    many = min(cost(wishes(first)) for first in "bdghj")
    assert many < few + 0.2
