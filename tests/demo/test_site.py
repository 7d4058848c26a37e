"""A demo site by itself: it starts without the centre, and it is a site in every corner."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from demo_apps.site import create_app


@pytest.fixture
def visitor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    settings = {
        "SSO_ISSUER": "http://127.0.0.1:1",
        "SSO_CLIENT_ID": "site-one",
        "SSO_CLIENT_SECRET": "s" * 43,
        "SSO_BASE_URL": "http://site-one.localhost:2",
        "SSO_STORE": f"sqlite:///{tmp_path}/store.sqlite3",
        "SITE_NAME": "Site one",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return create_app().test_client()


@pytest.mark.parametrize(("wish", "words"), [("en", "There is no such page"), ("zh-CN", "此页面不存在")])
def test_an_address_without_a_page_gets_one_in_the_sites_own_looks(visitor: FlaskClient, wish: str, words: str) -> None:
    answer = visitor.get("/nothing-here", headers={"Accept-Language": wish})
    assert answer.status_code == 404
    for shown in (words, "Site one", "site.css", 'href="/"'):
        assert shown in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
