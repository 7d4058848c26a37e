"""For a site's own tests: a real OpenID provider in the test's process, and browsers that sign in through it.

pytest finds the fixtures `fake_sso` and `signed_in` by itself (`plugin`). Nothing is imported before it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sso_client.testing.fake_sso import FakeSSO as FakeSSO
    from sso_client.testing.fake_sso import SignedIn as SignedIn
    from sso_client.testing.page import LogoutNotDone as LogoutNotDone
    from sso_client.testing.page import Page as Page
    from sso_client.testing.page import SignInFailed as SignInFailed
    from sso_client.testing.wsgi import WsgiClient as WsgiClient

_HOMES = {
    "FakeSSO": "fake_sso",
    "LogoutNotDone": "page",
    "Page": "page",
    "SignInFailed": "page",
    "SignedIn": "fake_sso",
    "WsgiClient": "wsgi",
}


def __getattr__(name: str) -> object:
    """Import a name when it is asked for: every test run of every project with the SDK loads this package."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
