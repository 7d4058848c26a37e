"""`create_app`: the one list of fronts, top to bottom. A front that isn't in it does not exist."""

from __future__ import annotations

import hashlib
import hmac
from functools import cache
from types import ModuleType
from typing import Any

from babel import Locale
from flask import Flask, g
from flask_babel import Babel, get_translations
from flask_wtf.csrf import CSRFProtect
from markupsafe import Markup

from sso_server import wiring
from sso_server.config import Settings, load
from sso_server.environment import metrics_dir
from sso_server.fronts import cas, oidc, portal, sync
from sso_server.fronts.portal import people
from sso_server.logs import configure_logs
from sso_server.metrics.numbers import Numbers
from sso_server.web import health
from sso_server.web.access import install_requests
from sso_server.web.bodies import ReadableBodies
from sso_server.web.client_ip import TrustedProxies
from sso_server.web.edge import Edge, this_request
from sso_server.web.errors import install_errors
from sso_server.web.language import LANGUAGES, html_lang, select_locale
from sso_server.web.responses import install_headers
from sso_server.web.services import install

FRONTS: tuple[ModuleType, ...] = (oidc, cas, sync, portal)
MAX_BODY = 2 * 1024 * 1024
_LOCALES = {language: Locale.parse(language) for language in LANGUAGES}


def create_app(settings: Settings | None = None, *, more_fronts: tuple[ModuleType, ...] = ()) -> Flask:
    """The centre as a WSGI application. Raises ConfigError."""
    settings = settings or load()
    configure_logs(settings.log_format)
    built = wiring.build(settings, Numbers.open("web", metrics_dir()))
    app = Edge(
        "sso_server",
        root_path=str(wiring.PACKAGE),
        template_folder="fronts/portal/templates",
        static_folder="fronts/portal/static",
        static_url_path="/static",
    )
    first, *older = (_form_key(key) for key in built.secret_keys)
    app.config.update(
        SECRET_KEY=first,
        SECRET_KEY_FALLBACKS=older,
        # Flask-WTF knows of no older ones; itsdangerous, to which it hands this, takes several: the last one signs.
        WTF_CSRF_SECRET_KEY=[*reversed(older), first],
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=256 * 1024,
        MAX_FORM_PARTS=50,
        SESSION_COOKIE_NAME="__Host-lockstep_form" if settings.is_https else "lockstep_form",
        SESSION_COOKIE_SECURE=settings.is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SEND_FILE_MAX_AGE_DEFAULT=3600,
        # A sign-in page of any age works: the token lives as long as its cookie.
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        # `_check_forms` does.
        WTF_CSRF_CHECK_DEFAULT=False,
        BABEL_DEFAULT_LOCALE="en",
        BABEL_TRANSLATION_DIRECTORIES=str(wiring.PACKAGE / "fronts" / "portal" / "translations"),
    )
    install(app, built.services)
    app.extensions["lockstep_built"] = built
    install_requests(app)
    install_errors(app)
    install_headers(app)
    people.install(app)
    _install_words(app)
    app.context_processor(
        lambda: {
            "site": built.services.site,
            "languages": LANGUAGES,
            "language": select_locale(),
            "html_lang": html_lang(),
        }
    )
    fronts = (*FRONTS, *more_fronts)
    programs = frozenset(blueprint.name for front in fronts for blueprint in front.machine_blueprints)
    _check_forms(app, CSRFProtect(app), programs)
    app.register_blueprint(health.blueprint)
    for front in fronts:
        for blueprint in front.blueprints:
            app.register_blueprint(blueprint)
        for blueprint in front.machine_blueprints:
            app.register_blueprint(blueprint)
    app.wsgi_app = TrustedProxies(ReadableBodies(app.wsgi_app), settings.proxies)  # type: ignore[method-assign]
    return app


def _install_words(app: Flask) -> None:
    """Pages in the language of who reads them. Flask-Babel finds out anew for each sentence which language that is."""
    Babel(app, locale_selector=lambda: _LOCALES[select_locale()])

    def catalog() -> Any:
        if "catalog" not in g:
            g.catalog = get_translations()
        return g.catalog

    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # of the extension that Flask-Babel loads
        lambda text: catalog().ugettext(text), lambda one, many, n: catalog().ungettext(one, many, n), newstyle=True
    )

    @cache
    def sentence(_: str, text: str) -> Markup:
        return Markup(catalog().ugettext(text))  # noqa: S704  # the sentence is ours; what stands in it is escaped

    def words(text: str, **variables: object) -> Markup:
        # Jinja's own finds itself, the catalogue and the sentence anew each time: 75 of 470 us for the sign-in page.
        return sentence(select_locale(), text) % variables

    app.jinja_env.globals["_"] = words


def _check_forms(app: Flask, csrf: CSRFProtect, programs: frozenset[str]) -> None:
    """Whatever is posted carries its page's token, but to these blueprints: they take client credentials or bearer
    tokens, and where a site posts to them through a browser (authorize, end_session), the POST reads no cookie and
    changes nothing: there is nothing to forge."""

    @app.before_request
    def _check() -> None:
        # Flask-WTF's own check comes to the same; on the way it takes 5 us of each request that has nothing to check.
        asked = this_request()
        if asked.method in ("GET", "HEAD", "OPTIONS") or asked.endpoint is None:
            return
        if asked.blueprint not in programs:
            csrf.protect()


def _form_key(secret: str) -> str:
    """Flask's form cookie gets a key of its own, so that no MAC of one purpose passes for another's."""
    return hmac.new(secret.encode(), b"lockstep form cookie", hashlib.sha256).hexdigest()
