"""A Flask application as its owner would type it; each `type: ignore` is a mistake that a type checker must find."""

from flask import Flask, Response, jsonify
from markupsafe import Markup

from sso_client import Event, LeaseExpired, LocalSession, SSOError, User
from sso_client.flask import SSO, current_user

sso = SSO(client_id="shop")
accounts: dict[str, str] = {}


def create_app() -> Flask:
    app = Flask(__name__)
    sso.init_app(app)
    app.add_url_rule("/", view_func=orders)
    app.register_error_handler(LeaseExpired, sso.show_error)
    return app


@sso.on_login
def find_account(user: User) -> str | None:
    if user.email is not None and not user.email_verified:
        raise SSOError("account_refused")
    return accounts.get(user.sub)


@sso.on_logout
def forget(user: User, reason: str) -> None:
    accounts.pop(user.sub + reason, None)


@sso.login_required
def orders(page: int = 1) -> str:
    name: str = current_user.name
    age: int = current_user.name  # type: ignore[assignment]
    session: LocalSession | None = sso.session
    who = session.user.username if session is not None else ""
    return f"{name}{age}{who}{page}"


@sso.login_required(groups=["staff"], max_age=300, acr="pwd")
def refund(number: int) -> Response:
    return jsonify(number=number, by=current_user.sub, old=current_user.has_group("staff"))


@sso.login_required(group="staff")  # type: ignore[call-overload, untyped-decorator]
def misspelt() -> str:
    return ""


@sso.bearer_required(scope="profile")
def api() -> Response:
    token = sso.bearer
    return jsonify(sub=current_user.sub, client=None if token is None else token.client_id)


def footer() -> Markup:
    events: list[Event] = sso.recent_events(5)
    lasted = sum(event.after_ms or 0 for event in events)
    return sso.logout_field("site") + sso.logout_url() + sso.login_url() + str(lasted)


def use() -> None:
    text: str = orders(2)
    orders("2")  # type: ignore[arg-type]
    answer: Response = refund(7)
    token: str = sso.access_token(min_life_s=10)
    wrong: bytes = sso.access_token()  # type: ignore[assignment]
    sso.logout_field("nowhere")  # type: ignore[arg-type]
    print(text, answer, token, wrong)
