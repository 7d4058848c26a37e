"""For a site's own tests: a real OpenID provider in the test's process, and browsers that sign in through it.

pytest finds the fixtures `fake_sso` and `signed_in` by itself (`plugin`). Nothing is imported before it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sso_client.testing.fake_sso import FakeSSO, SignedIn
    from sso_client.testing.page import LogoutNotDone, Page, SignInFailed
    from sso_client.testing.wsgi import WsgiClient

__all__ = ["FakeSSO", "LogoutNotDone", "Page", "SignInFailed", "SignedIn", "WsgiClient"]

_HOMES = {
    "FakeSSO": "fake_sso",
    "LogoutNotDone": "page",
    "Page": "page",
    "SignInFailed": "page",
    "SignedIn": "fake_sso",
    "WsgiClient": "wsgi",
}


if not TYPE_CHECKING:  # so that a type checker still knows every name, and no other

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
