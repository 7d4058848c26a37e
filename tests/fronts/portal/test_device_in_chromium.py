"""The page for devices in a real Chromium: the code, the question, the answer, in both languages and every look."""

from dataclasses import replace
from typing import Any

import pytest

from sso_server.core.client_metadata import DEVICE_CODE
from sso_server.core.clients import Client
from tests.fronts.portal.pages import PASSWORD
from tests.fronts.portal.shown import LANGUAGES, OTHERS, PHOTOS, Eye, Shown

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def television(shown: Shown) -> Client:
    """A stranger's app with a logo, and a name of which the page must make the best. It wants a password every time."""
    here = shown.centre.services
    base = here.clients.find("photos")
    assert base is not None
    metadata = replace(OTHERS, grant_types=(DEVICE_CODE,), default_max_age=0)
    client = replace(base, client_id="television", name=PHOTOS, redirect_uris=(), metadata=metadata)
    assert shown.centre.built.sql.clients.add(client)
    return client


@pytest.mark.covers("line-66")
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_person_signs_in_a_device(shown: Shown, chromium: Any, television: Client, language: str) -> None:
    eye, devices = Eye(chromium, shown.base, language), shown.centre.services.devices
    page, scope = eye.page, ("openid", "profile", "email", "offline_access")
    told = devices.begin(television, scope, ())
    page.goto(f"{shown.base}/device?user_code={told.user_code}")
    page.fill("#username", "alice")
    page.fill("#password", PASSWORD)
    eye.press()
    page.wait_for_url("**/device?user_code=*")
    assert page.input_value("#user_code") == told.user_code
    page.fill("#user_code", "BCDF-GHJK")
    eye.press()
    page.locator("#problem").wait_for()
    eye.look("device-unknown")
    page.fill("#user_code", told.user_code.lower().replace("-", " "))
    eye.press()
    page.locator("#password").wait_for()
    eye.look("device-password")
    assert page.input_value("#username") == "alice"
    page.fill("#password", PASSWORD)
    eye.press()
    page.locator("button[value=allow]").wait_for()
    assert told.user_code in page.inner_text("main")
    eye.look("device-question")
    page.locator("button[value=allow]").click()
    page.wait_for_url("**/device?done=allowed")
    eye.look("device-done")
    assert devices.poll(told.device_code, television).startswith("code-")
    eye.context.close()
    assert eye.objections == []
