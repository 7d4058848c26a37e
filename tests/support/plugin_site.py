"""A small Flask site made from nothing but the environment, as the tests of the pytest plugin meet it."""

from flask import Flask

from sso_client.flask import SSO, current_user


def make_site(**options: object) -> Flask:
    """A guarded start page, one for the staff alone, and one for everybody."""
    app = Flask("site_under_test")
    sso = SSO(app, **options)

    @app.get("/")
    @sso.login_required
    def home() -> str:
        return f"Hi {current_user.name}"

    @app.get("/staff")
    @sso.login_required(groups=["staff"])
    def staff() -> str:
        return f"staff: {current_user.email}"

    @app.get("/vault")
    @sso.login_required(max_age=300, acr="gold")
    def vault() -> str:
        return f"vault: {current_user.acr}"

    @app.get("/open")
    def open_page() -> str:
        return f"open to {current_user.name or 'everybody'}"

    return app
