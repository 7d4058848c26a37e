"""The live map of `sso demo`. Only the demo's app factory registers it, never `sso serve`: it shows everybody's sessions."""

from __future__ import annotations

from flask import Blueprint

from sso_server.fronts.demo import map_page

blueprints: tuple[Blueprint, ...] = (map_page.blueprint,)
machine_blueprints: tuple[Blueprint, ...] = ()
