"""OpenID Connect: one file per endpoint, pure message files beside them."""

from __future__ import annotations

from flask import Blueprint

from sso_server.fronts.oidc import (
    authorize,
    check_session,
    device_authorization,
    discovery,
    end_session,
    introspect,
    jwks,
    openapi,
    pushed_request,
    register,
    revoke,
    token,
    userinfo,
)

blueprints: tuple[Blueprint, ...] = ()
# Exempt from our form token, also the two that browsers visit: sites post to them by the standard, and there a POST
# reads no cookie and changes nothing, it only leads to the GET of the same request.
machine_blueprints: tuple[Blueprint, ...] = (
    authorize.blueprint,
    pushed_request.blueprint,
    end_session.blueprint,
    check_session.blueprint,
    token.blueprint,
    device_authorization.blueprint,
    userinfo.blueprint,
    introspect.blueprint,
    revoke.blueprint,
    register.blueprint,
    jwks.blueprint,
    discovery.blueprint,
    openapi.blueprint,
)
