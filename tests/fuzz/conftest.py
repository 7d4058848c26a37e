"""One centre for all of it: what one request breaks must not be mended before the next."""

import pytest

from sso_server import wiring
from sso_server.app import create_app
from sso_server.stores.sql import migrate
from tests.fronts.conftest import SECRETS, _client, settings_in
from tests.fuzz.world import World, a_world
from tests.support.oidc_site import PASSWORD, OidcSite, built_of


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """alice, three sites, and something of each that must stay secret."""
    settings = settings_in(tmp_path_factory.mktemp("fuzzed"), log_format="json", registration="open")
    migrate.upgrade(settings.sql_url)
    built = wiring.build(settings)
    built.signing_keys.ensure_keys()
    built.services.accounts.add("alice", PASSWORD, name="Alice", email="alice@example.com", actor="test")
    for client in (_client("shop", id_token_alg="ES256"), _client("wiki"), _client("spa")):
        assert built.sql.clients.add(client)
    built.close()
    app = create_app(settings)
    yield a_world(app, OidcSite(app, "wiki", SECRETS["wiki"]), SECRETS["wiki"])
    built_of(app).close()
