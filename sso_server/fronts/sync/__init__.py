"""How sites ask instead of being told: check-in for those with the SDK, RFC 8936 polls for others; and their doctor."""

from __future__ import annotations

from flask import Blueprint

from sso_server.fronts.sync import check_in, client_test, poll

blueprints: tuple[Blueprint, ...] = ()
machine_blueprints: tuple[Blueprint, ...] = (check_in.blueprint, poll.blueprint, client_test.blueprint)
