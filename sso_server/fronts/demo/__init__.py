"""The live map of `sso demo`. The demo's app factory alone registers it, never `sso serve`: it shows all sessions."""

from __future__ import annotations

from flask import Blueprint

from sso_server.fronts.demo import map_page, switches

blueprints: tuple[Blueprint, ...] = (map_page.blueprint, switches.blueprint)
machine_blueprints: tuple[Blueprint, ...] = ()
