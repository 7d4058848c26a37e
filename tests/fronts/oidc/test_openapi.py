"""The published description, and what there really is."""

import re

from sso_server.fronts import cas, oidc, sync
from sso_server.fronts.oidc.openapi_operations import OPERATIONS
from tests.support.oidc_site import ISSUER

#: Steps of a browser between our own pages, and spellings that only lead on.
INTERNAL = {"/authorize/continue", "/cas/login/continue", "/cas", "/cas/"}


def described():
    return {(re.sub(r"\{(\w+)\}", r"<\1>", one.path), one.method.upper()) for one in OPERATIONS}


def test_every_endpoint_for_programs_is_described_with_its_methods(app):
    names = {blueprint.name for front in (oidc, cas, sync) for blueprint in front.machine_blueprints} | {"health"}
    real = {
        (re.sub(r"<\w+:", "<", rule.rule), method)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] in names and rule.rule not in INTERNAL
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    # CAS takes everything by POST as well, as if it had come by GET.
    real = {(path, method) for path, method in real if not (path.startswith("/cas/") and method == "POST")}
    known = {(path, method) for path, method in described() if not (path.startswith("/cas/") and method == "POST")}
    assert known == real - {("/metrics", "GET")}


def test_anybody_may_read_it_and_keep_it_for_a_while(app):
    answer = app.test_client().get("/openapi.json")
    assert answer.json["openapi"] == "3.1.0"
    assert answer.json["servers"] == [{"url": ISSUER}]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "max-age" in answer.headers["Cache-Control"]
    again = app.test_client().get("/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
