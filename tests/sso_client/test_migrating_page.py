"""What docs/sdk-migrating.md makes of a site of another library works."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from flask import Flask

from sso_client.testing import FakeSSO
from tests.house.sources import ROOT
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


STORY = """
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.test.utils import setup_test_environment
from pathlib import Path
from sso_client.testing import FakeSSO

call_command("check")
call_command("migrate", verbosity=0)
setup_test_environment()
from_cas = User.objects.create(username="alice")
sso = FakeSSO(Path("sso.sqlite3"))
os.environ.update(sso.environ)
browser = Client(SERVER_NAME="localhost")
print(sso.visit(browser, "/", "alice", groups=["staff"]).text, from_cas.pk, User.objects.get().is_staff)
sso.sign_out("alice")
print(browser.get("/").status_code)
sso.close()
"""


def test_the_django_site_gives_people_the_accounts_that_they_had_through_cas(tmp_path: Path) -> None:
    """In a process of its own: Django is configured once."""
    (_flask, settings, urls, *_others) = after("sdk-migrating.md")
    (tmp_path / "site_settings.py").write_text(
        f"{settings}\nSECRET_KEY = 'x'\nALLOWED_HOSTS = ['localhost']\nROOT_URLCONF = 'site_urls'\nBASE_DIR = '.'\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'site.sqlite3'}}\n"
        "DEFAULT_AUTO_FIELD = 'django.db.models.AutoField'\n"
    )
    (tmp_path / "site_urls.py").write_text(
        "from django.contrib.auth.decorators import login_required\nfrom django.http import HttpResponse\n"
        f"from django.urls import include, path\n{urls}"
        "urlpatterns += [path('', login_required(lambda request: HttpResponse(str(request.user.pk))))]\n"
    )
    env = "import os, sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'site_settings'\nsys.path[:0] = ['.', sys.argv[1]]\n"
    env += "os.environ.update(SSO_ISSUER='http://127.0.0.1:9', SSO_CLIENT_ID='shop', SSO_CLIENT_SECRET='s')\n"
    story = [sys.executable, "-W", "error", "-c", env + STORY, str(ROOT)]
    done = subprocess.run(story, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["1 1 True", "302"]
