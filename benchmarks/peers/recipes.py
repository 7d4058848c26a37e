"""How each of the others is started, filled and asked."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from benchmarks.peers import glewlwyd
from benchmarks.peers.peer import GUNICORN, INSTALLED, PROGRAMS, Peer, Place, Recipe
from benchmarks.peers.sign_outs import by_confirmation, by_logout_page
from benchmarks.servers import Case
from benchmarks.traffic import CasTraffic, Traffic, by_form

OPENID = frozenset({"W1", "W2", "R", "W3u", "W3i", "W4", "W5"})
CAS = frozenset({"C1", "C2", "CR", "W5"})
SIGN_OUT = frozenset({"W6", "W6h"})
#: Of the version that packages.txt names, whatever else is installed here: oidc-provider asks for an LTS from 22 on.
NODE = INSTALLED / "node/node_modules/node/bin/node"


def _node(_: Place) -> Sequence[str]:
    # A program's imports are looked for from where it lies.
    for file in (PROGRAMS / "node").iterdir():
        shutil.copy(file, INSTALLED / "node" / file.name)
    return [str(NODE), str(INSTALLED / "node/server.mjs")]


def _gunicorn(folder: str, app: str) -> tuple[str, ...]:
    return (str(INSTALLED / folder / "bin/python"), "-m", "gunicorn", app, *GUNICORN)


def _authlib(place: Place) -> Sequence[str]:
    return [*_gunicorn("authlib", "server:app"), "--bind", f"127.0.0.1:{place.port}"]


def _django(folder: str, place: Place) -> Sequence[str]:
    app = "django.core.wsgi:get_wsgi_application()"
    return [*_gunicorn(folder, app), "--env", "DJANGO_SETTINGS_MODULE=settings", "--bind", f"127.0.0.1:{place.port}"]


def _fill(folder: str, place: Place) -> None:
    program = PROGRAMS / folder.replace("-", "_") / "fill.py"
    command = [str(INSTALLED / folder / "bin/python"), str(program)]
    subprocess.run(command, cwd=program.parent, env={**place.env}, check=True, stdin=subprocess.DEVNULL)


OIDC_PROVIDER = Recipe(
    Case("oidc-provider", "node", "redis", "ES256"),
    OPENID | SIGN_OUT,
    "node/.installed-for",
    _node,
    INSTALLED / "node",
    openid=lambda host: Traffic(
        host,
        by_form(),
        by_confirmation,
        authorize="/auth",
        userinfo="/me",
        introspect="/token/introspection",
    ),
)
AUTHLIB = Recipe(
    Case("authlib", "gunicorn", "redis", "ES256"),
    OPENID,
    "authlib/.installed-for",
    _authlib,
    PROGRAMS / "authlib",
    openid=lambda host: Traffic(host, by_form(), silent=""),
)
DJANGO_OAUTH = Recipe(
    Case("django-oauth-toolkit", "gunicorn", "sqlite and redis", "RS256"),
    OPENID,
    "django-oauth/.installed-for",
    lambda place: _django("django-oauth", place),
    PROGRAMS / "django_oauth",
    # It has no silent sign-in: `prompt=none` is answered with 500.
    openid=lambda host: Traffic(
        host,
        by_form(),
        authorize="/o/authorize/",
        token="/o/token/",
        userinfo="/o/userinfo/",
        introspect="/o/introspect/",
        discovery="/o/.well-known/openid-configuration",
        silent="",
    ),
    answers_at="/o/.well-known/openid-configuration",
    fill=lambda place: _fill("django-oauth", place),
)
DJANGO_CAS = Recipe(
    Case("django-cas-server", "gunicorn", "sqlite and redis", "none"),
    CAS | SIGN_OUT,
    "django-cas/.installed-for",
    lambda place: _django("django-cas", place),
    PROGRAMS / "django_cas",
    cas=lambda host: CasTraffic(host, by_form(), by_logout_page, login="/login", validate="/serviceValidate"),
    answers_at="/login",
    fill=lambda place: _fill("django-cas", place),
)
#: As they are asked side by side.
RECIPES = (
    OIDC_PROVIDER,
    replace(OIDC_PROVIDER, case=Case("oidc-provider", "node", "redis", "RS256")),
    AUTHLIB,
    replace(AUTHLIB, case=Case("authlib", "gunicorn", "redis", "RS256")),
    DJANGO_CAS,
    DJANGO_OAUTH,
    glewlwyd.RECIPE,
)


def peers(names: Sequence[str]) -> list[Callable[..., Peer]]:
    """New ones of these products, for `rounds.interleaved`; `all` names all that scripts/bench-peers has brought."""
    known = {recipe.case.product for recipe in RECIPES}
    if strangers := set(names) - known - {"all"}:
        raise ValueError(f"there is no {', '.join(sorted(strangers))}: {', '.join(sorted(known))}")
    wanted = known if "all" in names else set(names)
    return [partial(Peer, recipe) for recipe in RECIPES if recipe.is_installed and recipe.case.product in wanted]
