"""What docs/sdk-migrating.md makes of a site of another library works."""

from types import ModuleType

import pytest
from flask import Flask

from sso_client.testing import FakeSSO
from tests.support.doc_pages import after


@pytest.fixture
def shop(fake_sso: FakeSSO) -> Flask:
    """The Flask-OIDC site of the page after its diff."""
    (source, *_others) = after("sdk-migrating.md")
    module = ModuleType("shop")
    exec(compile(source, "sdk-migrating.md", "exec"), module.__dict__)
    return module.app


def test_the_flask_oidc_site_signs_people_in_and_out(shop: Flask, fake_sso: FakeSSO) -> None:
    browser = shop.test_client()
    page = fake_sso.visit(browser, "/orders", "alice")
    assert "Orders of Alice" in page.text
    assert 'action="/sso/logout"' in page.text
    fake_sso.sign_out("alice")
    assert browser.get("/orders").status_code == 302


def test_its_api_takes_tokens_with_the_scope(shop: Flask, fake_sso: FakeSSO) -> None:
    def call(scope: str) -> tuple[int, str | None]:
        token = fake_sso.access_token("alice", scope=scope)
        answer = shop.test_client().get("/api/orders", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, (answer.json or {}).get("of")

    assert call("openid profile") == (200, "alice")
    assert call("openid") == (403, None)
