"""The pages people see: sign-in, the question before a site, sign-out and its report, my sessions, password, set-up,
language; and the ledger, for administrators. No script needed.
"""

from sso_server.fronts.portal import (
    apps,
    consent,
    device,
    frames,
    go_on,
    language,
    ledger,
    messages,
    password,
    sessions,
    setup,
    sign_in,
    sign_out,
    signed_out,
)

blueprints = (
    sign_in.blueprint,
    go_on.blueprint,
    device.blueprint,
    consent.blueprint,
    sign_out.blueprint,
    signed_out.blueprint,
    frames.blueprint,
    sessions.blueprint,
    apps.blueprint,
    password.blueprint,
    setup.blueprint,
    language.blueprint,
    messages.blueprint,
    *ledger.blueprints,
)
machine_blueprints = ()
