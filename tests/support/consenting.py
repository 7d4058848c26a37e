"""A person at the consent page, as the front tests play them."""

from __future__ import annotations

import re
from html import unescape

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sso_server.core.consents import Consent
from tests.support.oidc_site import OidcSite, built_of, change_client, path_of


def third_party(site: OidcSite) -> OidcSite:
    """The site belongs to others now."""
    change_client(site, metadata={"third_party": True})
    return site


def consent_of(site: OidcSite, username: str = "alice") -> Consent | None:
    services = built_of(site.app).services
    return services.consents.find(services.accounts.get(username).user_id, site.client_id)


def allowed(page: str) -> list[str]:
    """The lines of the list, with what is marked as new."""
    listed = re.search(r'<ul class="allows">(.*?)</ul>', page, re.DOTALL)
    assert listed is not None, page
    lines = re.findall(r"<li>(.*?)</li>", listed.group(1), re.DOTALL)
    return [unescape(" ".join(re.sub(r"<[^>]*>", " ", line).split())) for line in lines]


def asked(browser: FlaskClient, site: OidcSite, **more: str | None) -> TestResponse:
    """The consent page that this request leads to."""
    answer = site.ask(browser, **more)
    assert path_of(answer) == "/consent", answer.headers["Location"]
    return browser.get(answer.headers["Location"])


def press(browser: FlaskClient, page: TestResponse, **changes: str) -> TestResponse:
    form = page.text.partition('action="/consent"')[2].partition("</form>")[0]
    fields = {name: unescape(value) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', form)}
    return browser.post("/consent", data=fields | changes)
