"""`{% sso_login_url %}`, `{% sso_logout_url %}`, `{% sso_logout_fields %}`, `{% sso_tab_script %}`: a link, a form, a
script. They need `request`.
"""

from collections.abc import Mapping
from typing import Any, cast

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe

from sso_client.django import verbs
from sso_client.records import Scope


def sso_login_url(context: Mapping[str, Any], next_page: str | None = None) -> str:
    """Where a link "sign in" leads; back to `next_page`, by default to the current page."""
    return verbs.login_url(context["request"], next_page)


def sso_logout_url(context: Mapping[str, Any]) -> str:
    """Where a form "sign out" posts to."""
    return verbs.logout_url(context["request"])


def sso_logout_fields(context: Mapping[str, Any], scope: str = "browser") -> str:
    """The hidden fields of that form. `scope`: "browser", "site" or "everywhere"."""
    fields = verbs.logout_fields(context["request"], cast(Scope, scope))
    return str(format_html_join("", '<input type="hidden" name="{}" value="{}">', fields.items()))


def sso_tab_script(context: Mapping[str, Any]) -> str:
    """A script tag: the page notices when its person is signed out."""
    return str(mark_safe(verbs.tab_script(context["request"])))  # noqa: S308 - escaped there


register = template.Library()
for _tag in (sso_login_url, sso_logout_url, sso_logout_fields, sso_tab_script):
    register.simple_tag(_tag, takes_context=True)
