"""How sites ask instead of being told: check-in."""

from __future__ import annotations

from flask import Blueprint

from sso_server.fronts.sync import check_in

blueprints: tuple[Blueprint, ...] = ()
machine_blueprints: tuple[Blueprint, ...] = (check_in.blueprint,)
