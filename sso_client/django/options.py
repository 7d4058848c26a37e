"""The settings of a Django site: the dict `SSO`, then settings `SSO_...`, then the environment; all problems at once.

Beside the fields of `sso_client.Settings` the dict takes what only Django sites have: `SiteOptions`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.utils.module_loading import import_string

from sso_client.errors import SettingsError
from sso_client.settings import Settings, load_settings
from sso_client.tabs import FEW
from sso_client.user import User

_OWN = ("GROUP_MAP", "CLAIM_BY", "ON_LOGIN", "ADMIN", "DATA_DIR", "TAB_STREAMS")
_CLAIMS = (None, "username", "verified_email")


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """What a Django site says about itself."""

    settings: Settings
    folder: Path
    """`SSO["DATA_DIR"]`, else BASE_DIR / "sso-data": where the local sessions lie unless `SSO_STORE` says otherwise.

    All workers of the host must share it, and no web server may serve it.
    """
    group_map: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`SSO["GROUP_MAP"]`: group at the centre -> "is_staff", "is_superuser", or the name of a Django group; or a list.

    What is named here is given at each sign-in, and taken away from whoever is in no such group any more. So is what it
    gave before and no longer names.
    """
    claim_by: str | None = None
    """`SSO["CLAIM_BY"]`: "username" or "verified_email" lets people have accounts that were here before them."""
    on_login: Callable[[User], Any] | None = None
    """`SSO["ON_LOGIN"]`, a dotted path: `on_login(user)` returns the site's own Django user, None to have one found or
    made, or False to keep the person out."""
    admin: bool = True
    """`SSO["ADMIN"]`: the admin's sign-in page leads to the centre, its "Log out" to our page."""
    tab_streams: int = FEW
    """`SSO["TAB_STREAMS"]`: how many threads of a process may be busy telling open pages that they are signed out."""


def read_options() -> SiteOptions:
    """The options of this process. Raises SettingsError naming every problem, each with its fix."""
    given = getattr(django_settings, "SSO", None) or {}
    if not isinstance(given, Mapping):
        raise SettingsError([f"SSO is {type(given).__name__}: write it like SSO = {{'ISSUER': ...}}"])
    known = {*_OWN, *(item.name.upper() for item in fields(Settings)), "CLIENT_SECRET_FILE"}
    problems = [f"SSO[{name!r}] is not known: use {', '.join(sorted(known))}" for name in given if name not in known]
    # The secret and the file that holds it are two spellings of one setting: the dict's beats the single setting's.
    single = {name: getattr(django_settings, name) for name in dir(django_settings) if name.startswith("SSO_")}
    if "CLIENT_SECRET_FILE" in given:
        single.pop("SSO_CLIENT_SECRET", None)
    config = single | {f"SSO_{name}": value for name, value in given.items() if name not in _OWN}
    settings = None
    try:
        settings = load_settings({}, config)
    except SettingsError as error:
        problems += error.problems
    folder = _folder(given, config, problems)
    group_map = _group_map(given.get("GROUP_MAP") or {}, problems)
    on_login = _on_login(given.get("ON_LOGIN"), problems)
    claim_by = given.get("CLAIM_BY")
    if claim_by not in _CLAIMS:
        problems.append(
            f"SSO['CLAIM_BY'] {claim_by!r} is not known: use 'username' or 'verified_email', or leave it out"
        )
    tab_streams = given.get("TAB_STREAMS", FEW)
    if not isinstance(tab_streams, int) or tab_streams < 0:
        problems.append(f"SSO['TAB_STREAMS'] {tab_streams!r} is no number of threads: use 0 or more")
    if problems or settings is None:
        raise SettingsError(problems)
    return SiteOptions(settings, folder, group_map, claim_by, on_login, bool(given.get("ADMIN", True)), tab_streams)


def _folder(given: Mapping[str, Any], config: Mapping[str, Any], problems: list[str]) -> Path:
    if given.get("DATA_DIR"):
        return Path(given["DATA_DIR"])
    base = getattr(django_settings, "BASE_DIR", None)
    if base is None and not config.get("SSO_STORE"):
        problems.append("SSO['DATA_DIR'] is not set and there is no BASE_DIR: name a folder that all workers share")
    return Path(base or ".") / "sso-data"


def _group_map(given: Any, problems: list[str]) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, Mapping):
        problems.append("SSO['GROUP_MAP'] is no dict: write it like {'admins': 'is_staff'}")
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for group, targets in given.items():
        names = (targets,) if isinstance(targets, str) else targets
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name for name in names):
            problems.append(
                f"SSO['GROUP_MAP'][{group!r}]: name 'is_staff', 'is_superuser' or a Django group, or a list"
            )
        else:
            found[str(group)] = tuple(names)
    return found


def _on_login(given: Any, problems: list[str]) -> Callable[[User], Any] | None:
    if given is None:
        return None
    try:
        found = import_string(given) if isinstance(given, str) else given
    except ImportError as error:
        problems.append(f"SSO['ON_LOGIN'] {given!r} can't be imported ({error}): correct the dotted path")
        return None
    if not callable(found):
        problems.append(f"SSO['ON_LOGIN'] {given!r} is no function: name one that takes the user")
        return None
    return found  # type: ignore[no-any-return]  # the site's own function
