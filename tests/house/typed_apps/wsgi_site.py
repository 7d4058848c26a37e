"""A WSGI application as its owner would type it; each `type: ignore` is a mistake that a type checker must find."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sso_client import User
from sso_client.site import Demand
from sso_client.wsgi import SSOMiddleware, Visit


def shop(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    visit: Visit = environ["sso"]
    user: User | None = environ["sso.user"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    fields: dict[str, str] = visit.logout_fields()
    count: int = visit.logout_url()  # type: ignore[assignment]
    while user is not None and visit.still_signed_in():
        yield f"{user.name} {visit.access_token()} {fields} {count}".encode()


def name_of(user: User) -> str:
    return user.email or user.username


guarded = SSOMiddleware(
    shop, protect={"/": Demand(), "/admin": Demand(groups=("staff",))}, bearer={"/api": "profile"}, remote_user=name_of
)
SSOMiddleware(shop, protect=7)  # type: ignore[arg-type]
application: WSGIApplication = guarded
