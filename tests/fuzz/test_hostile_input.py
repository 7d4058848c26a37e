"""Every endpoint of the published description, asked with what nobody should send; what must hold is in `world.py`.

`make fuzz` asks 100,000 times. A failure prints the request, and hypothesis remembers it.
"""

from __future__ import annotations

import base64
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sso_server.fronts.oidc.openapi_fields import FORM, JSON, Operation
from sso_server.fronts.oidc.openapi_operations import OPERATIONS
from tests.fuzz.world import EVIL, MARKUP, REQUESTS, World

#: Where some of it must come through, or nothing behind the first checks is tried.
_REACHED = (
    "authorize",
    "authorize_by_post",
    "push_request",
    "introspect",
    "revoke",
    "check_in",
    "register",
    "end_session",
)
_SHARE = -(-REQUESTS // len(OPERATIONS))
_HOSTS = (
    "https://wiki.example.com/cb",
    "https://wiki.example.com/cb/../x",
    "https://wiki.example.com/cb?a=%2F&b",
    "https://wiki.example.com/",
    "https://wiki.example.com/bye?from=sso",
    f"{EVIL}/cb",
    "//evil.example/",
    "/\\evil.example",
    "https://wiki.example.com@evil.example/cb",
    "https://wiki.example.com.evil.example/cb",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "https://wiki.example.com\\@evil.example",
    "https://[::1",
    "http://127.0.0.1:1/",
    "https://wiki.example.com/cb#x",
    "https://wiki.example.com/cb\r\nSet-Cookie: a=b",
    "https://wiki%2eexample.com/cb",
    "///evil",
)
_GOOD: dict[str, tuple[str, ...]] = {
    "client_id": ("wiki", "spa", "shop"),
    "response_type": ("code", "token", "code id_token"),
    "response_mode": ("query", "form_post", "fragment", "jwt"),
    "scope": ("openid", "openid profile email offline_access", "x"),
    "prompt": ("none", "login", "consent", "none login"),
    "code_challenge_method": ("S256", "plain"),
    "code_challenge": ("a" * 43,),
    "max_age": ("0", "1", "-1", "9" * 20),
    "claims": ('{"userinfo":{"name":{"essential":true}}}', "{", "[]", '{"id_token":{"sub":{"value":1}}}'),
    "grant_type": tuple(OPERATIONS[[one.name for one in OPERATIONS].index("token")].fields["grant_type"]["enum"]),
    "client_assertion_type": ("urn:ietf:params:oauth:client-assertion-type:jwt-bearer",),
    "request_uri": ("urn:ietf:params:oauth:request_uri:x", f"{EVIL}/r"),
    "requested_token_type": ("urn:ietf:params:oauth:token-type:access_token",),
    "subject_token_type": ("urn:ietf:params:oauth:token-type:access_token",),
}
_ODD = (
    "",
    " ",
    MARKUP,
    "\x00",
    "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "%00",
    "%",
    "a" * 5000,
    "'; DROP",
    "../../etc/passwd",
    "\r\nX-Evil: 1",
    "\u202e",
    "none",
    "null",
    "0",
    "-1",
    "1e400",
    "🦊" * 50,
    "{}",
    "[" * 500,
    "eyJhbGciOiJub25lIn0.e30.",
)
#: What a good request says.
_BASE: dict[str, Any] = {
    "client_id": "wiki",
    "redirect_uri": "https://wiki.example.com/cb",
    "response_type": "code",
    "scope": "openid",
    "code_challenge": "a" * 43,
    "code_challenge_method": "S256",
    "store": "st-" + "a" * 32,
    "redirect_uris": ["https://wiki.example.com/cb"],
    "service": "https://wiki.example.com/cas",
}
_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD")


def _values(name: str, world: World) -> st.SearchStrategy[str]:
    pools: list[st.SearchStrategy[str]] = [
        st.sampled_from(_ODD),
        st.text(max_size=40),
        st.sampled_from([*world.secrets, world.code]),
    ]
    if name in _GOOD:
        pools.insert(0, st.sampled_from(_GOOD[name]))
    if name.endswith(("uri", "Url", "service", "Service")) or name == "resource":
        pools.insert(0, st.sampled_from(_HOSTS))
    return st.one_of(pools)


@st.composite
def _requests(draw: st.DrawFn, world: World, operation: Operation) -> dict[str, Any]:
    good = {name: value for name, value in _BASE.items() if name in operation.fields} if draw(st.booleans()) else {}
    good |= {"returnImmediately": True} if "returnImmediately" in operation.fields else {}
    # Far into the checks: all that it takes is there and good, and a few things are odd.
    most = 3 if good else 12
    # A poll that may wait for an event waits.
    names = sorted(operation.fields.keys() - {"returnImmediately"}) or ["x"]
    odd = draw(st.lists(st.sampled_from(names), unique=True, max_size=most))
    fields = [*(good | {name: draw(_values(name, world)) for name in odd}).items()]
    if draw(st.integers(0, 9)) == 0:
        fields += [(draw(st.text(max_size=8)), draw(st.text(max_size=8))), *fields[:1]]
    credentials = base64.b64encode(f"wiki:{world.site.secret}".encode()).decode()
    headers = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "Authorization": st.sampled_from(
                    [
                        f"Basic {credentials}",
                        f"Bearer {world.access_token}",
                        f"DPoP {world.access_token}",
                        "Basic ====",
                        "Bearer",
                        "x" * 300,
                    ]
                ),
                "DPoP": st.sampled_from(["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "." * 50]),
                "Cookie": st.sampled_from(
                    ["lockstep_session=x", f"lockstep_session={world.secrets[2]}", "=;=;;", "a=" + "b" * 3000]
                ),
                "X-Forwarded-Host": st.just("evil.example"),
                "Origin": st.sampled_from([EVIL, "null"]),
                "Accept": st.sampled_from(["application/json", "text/html", "*/*", ";;;"]),
            },
        )
    )
    if good and "client" in operation.security and draw(st.integers(0, 3)) > 0:
        headers |= {"Authorization": f"Basic {credentials}"}
    usual = draw(st.integers(0, 9)) > 0
    method = operation.method.upper() if usual else draw(st.sampled_from(_METHODS))
    kind = operation.body if usual else draw(st.sampled_from([FORM, JSON, "text/plain", "multipart/form-data", ""]))
    path = operation.path.replace("{client_id}", draw(st.sampled_from(["wiki", "..", "%2e", "nobody"])))
    return {"method": method, "path": path, "fields": fields, "headers": headers, "kind": kind}


def _send(world: World, asked: dict[str, Any]) -> Any:
    sent = urlencode(asked["fields"], errors="surrogatepass", doseq=True)
    browser = world.app.test_client(use_cookies=False)
    if not asked["kind"]:
        return browser.open(f"{asked['path']}?{sent}", method=asked["method"], headers=asked["headers"])
    if asked["kind"] == JSON:
        return browser.open(asked["path"], method=asked["method"], headers=asked["headers"], json=dict(asked["fields"]))
    return browser.open(
        asked["path"], method=asked["method"], headers=asked["headers"], data=sent, content_type=asked["kind"]
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_nothing_hostile_breaks_an_endpoint_leads_away_or_brings_a_secret_out(world, operation):
    @settings(
        max_examples=_SHARE,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=REQUESTS < 10_000,
    )
    @given(_requests(world, operation))
    def ask(asked):
        world.hold(_send(world, asked), asked["fields"])

    before = world.statuses.copy()
    ask()
    answered = Counter(world.statuses) - Counter(before)
    assert answered.total() >= _SHARE
    if operation.name in _REACHED:
        assert any(status < 400 for status in answered), f"all of it was refused at the door: {answered}"
