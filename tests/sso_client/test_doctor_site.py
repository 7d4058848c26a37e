"""The doctor at a running site: a good one gets no word of blame, each broken one its code."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, redirect, request
from werkzeug.middleware.proxy_fix import ProxyFix

from sso_client.flask import SSO
from tests.support.certificates import Authority, make_authority
from tests.support.examined import SECRET, Shop, findings_of, troubles
from tests.support.ports import free_port


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


def test_a_good_site_gets_no_word_of_blame(shop: Shop) -> None:
    found = shop.examine(shop.app())
    assert {name: finding.level.value for name, finding in found.items()} == dict.fromkeys(
        [
            "settings", "store", "discovery", "keys", "sign-outs", "client", "clock", "site", "address", "cookie",
            "cookie size", "redirect URI", "who is it", "logout address", "one store", "call back",
        ],
        "ok",
    )  # fmt: skip


def stripped(answer: Response) -> Response:
    del answer.headers["Set-Cookie"]
    return answer


def recooked(old: str, new: str) -> Callable[[Response], Response]:
    def change(answer: Response) -> Response:
        cookies = [cookie.replace(old, new, 1) for cookie in answer.headers.getlist("Set-Cookie")]
        answer.headers.setlist("Set-Cookie", cookies)
        return answer

    return change


def cached(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "public, max-age=60"
    return answer


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (stripped, {"cookie": ("problem", "cookie_stripped")}),
        (recooked("; HttpOnly", ""), {"cookie": ("problem", "cookie_unprotected")}),
        (recooked("SameSite=Lax", "SameSite=Strict"), {"cookie": ("problem", "cookie_unprotected")}),
        (recooked("Path=/", "Path=/sso"), {"cookie": ("problem", "cookie_unprotected")}),
        (recooked("Path=/", "Domain=example.com; Path=/"), {"cookie": ("problem", "cookie_unprotected")}),
        (recooked("; ", "x" * 3200 + "; "), {"cookie size": ("warning", "cookie_too_large")}),
        (recooked("; ", "x" * 4000 + "; "), {"cookie size": ("problem", "cookie_too_large")}),
        (cached, {"who is it": ("problem", "answer_cached")}),
    ],
)
def test_what_is_changed_on_the_way_to_the_browser(
    shop: Shop, change: Callable[[Response], Response], expected: dict[str, tuple[str, str]]
) -> None:
    app = shop.app()
    app.after_request(change)
    assert troubles(shop.examine(app)) == expected


def test_a_guard_of_the_site_s_own_is_in_the_way(shop: Shop) -> None:
    app = shop.app()
    app.before_request(lambda: redirect("/accounts/login"))
    found = shop.examine(app)
    assert {found[name].code for name in ("site", "who is it", "logout address")} == {"routes_guarded"}
    assert found["call back"].code == "callback_refused"
    assert "the centre follows no redirects" in found["call back"].advice


def test_csrf_protection_is_in_the_way_of_logout_calls_alone(shop: Shop) -> None:
    app = shop.app()
    app.before_request(lambda: ("The CSRF token is missing.", 400) if request.method == "POST" else None)
    assert troubles(shop.examine(app)) == {
        "logout address": ("problem", "routes_guarded"),
        "call back": ("problem", "callback_refused"),
    }


def test_routes_that_are_not_there(shop: Shop) -> None:
    found = troubles(shop.examine(Flask("empty")))
    assert {found[name][1] for name in ("site", "who is it", "logout address")} == {"routes_missing"}


def test_routes_under_another_prefix_are_found_there(shop: Shop) -> None:
    app = Flask("shop")
    SSO(app, prefix="/auth", issuer=shop.centre.issuer, client_id="shop", client_secret=SECRET, store=shop.store)
    url = shop.run(app)
    shop.centre.register(
        url, redirect_uris=(f"{url}/auth/callback",), backchannel_logout_uri=f"{url}/auth/backchannel-logout"
    )
    assert troubles(findings_of(shop.settings(base_url=url), url, prefix="/auth")) == {}


def test_a_site_that_does_not_run(shop: Shop) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    shop.centre.register(url)
    found = findings_of(shop.settings(base_url=url), url)
    assert troubles(found) == {
        "site": ("problem", "site_unreachable"),
        "call back": ("problem", "callback_unreachable"),
    }
    assert "who is it" not in found


def test_a_redirect_uri_that_is_not_registered(shop: Shop) -> None:
    url = shop.run(shop.app())
    shop.centre.register(url, redirect_uris=("https://shop.example.com/sso/callback",))
    found = findings_of(shop.settings(base_url=url), url)
    assert troubles(found) == {"redirect URI": ("problem", "redirect_uri_mismatch")}
    assert ("known", "https://shop.example.com/sso/callback") in found["redirect URI"].facts


def test_a_site_that_signs_in_as_another_client(shop: Shop) -> None:
    found = shop.examine(shop.app(client_id="wiki", store=f"sqlite:///{shop.directory}/wiki.sqlite3"))
    assert found["site"].code == "settings_differ"


def test_a_site_that_runs_under_another_name_than_it_says(shop: Shop) -> None:
    url = shop.run(shop.app())
    shop.centre.register(url)
    found = troubles(findings_of(shop.settings(base_url="http://shop.localhost:5000"), url))
    assert found == {"address": ("problem", "redirect_uri_mismatch")}


def test_a_site_looked_at_from_inside_answers_for_its_public_address(shop: Shop) -> None:
    base = "https://shop.example.com"
    url = shop.run(shop.app(base_url=base))
    shop.centre.register(url, redirect_uris=(f"{base}/sso/callback",))
    found = findings_of(shop.settings(base_url=base), url)
    assert troubles(found) == {}
    assert "__Host-" in dict(found["cookie"].facts)["name"]  # type: ignore[operator]


def test_tls_that_ends_at_a_proxy_which_nobody_believes(shop: Shop, authority: Authority) -> None:
    inner = shop.run(shop.app())
    port = shop.forward(int(inner.rpartition(":")[2]), tls=authority.context("127.0.0.1"))
    url = f"https://127.0.0.1:{port}"
    shop.centre.register(url, redirect_uris=(f"http://127.0.0.1:{port}/sso/callback",), backchannel_logout_uri="")
    found = findings_of(shop.settings(ca_file=authority.ca_file), url)
    assert found["address"].code == "proxy_headers_missing"
    text = found["address"].text
    assert text is not None
    assert all(word in text.fix for word in ("ProxyFix", "SECURE_PROXY_SSL_HEADER", "--proxy-headers"))


def test_a_site_that_refuses_plain_http_behind_such_a_proxy(shop: Shop, authority: Authority) -> None:
    def elsewhere(environ: dict[str, Any], start: Any) -> Any:
        environ["HTTP_HOST"] = "shop.example.com"
        return app.wsgi_app(environ, start)

    app = shop.app()
    port = shop.forward(int(shop.run(elsewhere).rpartition(":")[2]), tls=authority.context("127.0.0.1"))
    found = findings_of(shop.settings(ca_file=authority.ca_file), f"https://127.0.0.1:{port}")
    assert found["site"].code == "proxy_headers_missing"


@pytest.mark.parametrize(("trusted", "codes"), [(True, set()), (False, {"proxy_headers_missing"})])
def test_a_proxy_that_says_https_is_believed_if_the_framework_trusts_it(
    shop: Shop, authority: Authority, trusted: bool, codes: set[str]
) -> None:
    app = shop.app()
    if trusted:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1)  # type: ignore[method-assign]

    def proxied(environ: dict[str, Any], start: Any) -> Any:
        return app(environ | {"HTTP_X_FORWARDED_PROTO": "https"}, start)

    inner = shop.run(proxied)
    url = f"https://127.0.0.1:{shop.forward(int(inner.rpartition(':')[2]), tls=authority.context('127.0.0.1'))}"
    shop.centre.register(url, backchannel_logout_uri=f"{inner}/sso/backchannel-logout")
    found = findings_of(shop.settings(ca_file=authority.ca_file, store=shop.store), url)
    assert {code for _, code in troubles(found).values()} == codes
    if trusted:
        assert found["cookie"].seen == "cookie_good"


def test_a_certificate_that_the_doctor_does_not_trust(shop: Shop, authority: Authority) -> None:
    port = shop.forward(int(shop.run(shop.app()).rpartition(":")[2]), tls=authority.context("127.0.0.1"))
    found = findings_of(shop.settings(), f"https://127.0.0.1:{port}")
    assert found["site"].code == "site_unreachable"
    (error,) = (text for name, text in found["site"].facts if name == "error")
    assert str(error).startswith("SSLError, ")
