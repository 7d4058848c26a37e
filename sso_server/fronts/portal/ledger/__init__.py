"""The administrator's pages over the ledger: all sign-outs, one of them, and the two verbs on its rows."""

from sso_server.fronts.portal.ledger import one, overview

blueprints = (overview.blueprint, one.blueprint)
