#!/usr/bin/env python3
"""Prints docs/configuration.md: every setting of the centre and of a site, from the docstrings that stand beside them.

.venv/bin/python scripts/configuration_page.py > docs/configuration.md
"""

import ast
import inspect
from dataclasses import MISSING, fields
from itertools import pairwise
from pathlib import Path
from types import ModuleType

from sso_client import settings as site_settings
from sso_server import config
from sso_server.config import _SECRETS
from sso_server.readings import Secret

HEAD = """# Configuration

<!-- Made by scripts/configuration_page.py from the docstrings in sso_server/config.py and sso_client/settings.py. -->

Settings are environment variables. `sso check` prints each with its value and where it comes from, and says what is
wrong; all problems are reported at once, and a name that doesn't exist is reported with its nearest match. Durations
are whole seconds.

## The centre

Those marked with \\* can also be given as a file, `SSO_..._FILE=/path`; the variable itself wins. No `.env` file is
read: your shell, systemd or `docker compose` does that.

| variable | default | what it does |
| --- | --- | --- |
"""
MIDDLE = """
## A site

The SDK reads these in the site's own process. Each can also be an argument (`SSO(app, base_url=...)`) or, in Flask, an
entry of `app.config` under the same name: an argument beats the config, the config beats the environment.
`SSO_CLIENT_SECRET_FILE` may name a file instead.

| variable | default | what it does |
| --- | --- | --- |
"""
LIMITS = (("ge", "at least"), ("le", "at most"))


def row(name: str, default: str, text: str) -> str:
    """One line of a table."""
    shown = f"`{default}`" if default else ""
    text = " ".join(text.split()).replace("|", r"\|")
    return f"| `{name}` | {shown} | {text} |"


def texts_of(module: ModuleType) -> dict[str, str]:
    """The docstring of each field of its dataclass Settings: only the source has them."""
    source = ast.parse(Path(inspect.getfile(module)).read_text(encoding="utf-8"))
    (body,) = [node.body for node in source.body if isinstance(node, ast.ClassDef) and node.name == "Settings"]
    return {
        before.target.id: inspect.cleandoc(after.value.value)
        for before, after in pairwise(body)
        if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }


def centre_rows() -> list[str]:
    """Every field of the centre's Settings."""
    texts, rows = texts_of(config), []
    for field in fields(config.Settings):
        default = field.default.get_secret_value() if isinstance(field.default, Secret) else field.default
        default = str(default).lower() if isinstance(default, bool) else str(default)
        bounds = [f"{word} {field.metadata[key]}" for key, word in LIMITS if key in field.metadata]
        limits = f" ({', '.join(bounds)})" if bounds else ""
        star = r"\*" if field.name in _SECRETS else ""
        told = row(f"SSO_{field.name.upper()}", default, f"{texts[field.name]}{limits}")
        rows.append(told.replace("` |", f"`{star} |", 1))
    return rows


def site_rows() -> list[str]:
    """Every field of the SDK's Settings."""
    texts, rows = texts_of(site_settings), []
    for field in fields(site_settings.Settings):
        default = "" if field.default in (MISSING, None) else field.default
        default = " ".join(default) if isinstance(default, tuple) else str(default)
        rows.append(row(f"SSO_{field.name.upper()}", default, texts[field.name]))
    return rows


def page() -> str:
    """The whole page."""
    return HEAD + "\n".join(centre_rows()) + "\n" + MIDDLE + "\n".join(site_rows()) + "\n"


if __name__ == "__main__":
    print(page(), end="")
