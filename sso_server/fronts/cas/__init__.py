"""The CAS protocol, versions 1 to 3: one file per endpoint, pure message files beside them."""

from __future__ import annotations

from flask import Blueprint

from sso_server.fronts.cas import login, logout, proxy, proxy_validate, saml_validate, service_validate, validate

blueprints: tuple[Blueprint, ...] = ()
#: Exempt from our form token: what sites call server to server, and what a foreign form may post to by the standard.
machine_blueprints: tuple[Blueprint, ...] = (
    login.blueprint,
    logout.blueprint,
    validate.blueprint,
    service_validate.blueprint,
    proxy_validate.blueprint,
    proxy.blueprint,
    saml_validate.blueprint,
)
