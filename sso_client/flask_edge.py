"""Flask's requests and responses as the SDK's, and back; the SDK's routes as a blueprint."""

from collections.abc import Callable
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, request

from sso_client.driving import drive, drive_each
from sso_client.routes import Routes
from sso_client.signed_token import MAX_TOKEN
from sso_client.web import WebAnswer, WebRequest

#: Set in the environ of a request that has come to one of our routes: nothing of the site's own answered it before.
REACHED = "sso_client.reached"


def read_request(*, with_body: bool = False) -> WebRequest:
    """The request under way; its body for our own routes only."""
    headers, body = {name.lower(): value for name, value in request.headers.items()}, b""
    if with_body and request.method == "POST":
        body = request.stream.read(MAX_TOKEN + 1)
        if not body and request.form:  # something before us in the application has read the form
            body = urlencode(list(request.form.items(multi=True))).encode()
            headers["content-type"] = "application/x-www-form-urlencoded"
    return WebRequest(
        method=request.method,
        scheme=request.scheme,
        host=request.host,
        path=request.path,
        root_path=request.root_path,
        query_string=request.query_string,
        headers=headers,
        cookies=request.cookies,
        remote_addr=request.remote_addr or "",
        body=body,
        may_wait=bool(request.environ.get("wsgi.multithread")),
    )


def to_response(answer: WebAnswer) -> Response:
    """An answer of ours."""
    body = answer.body if answer.stream is None else drive_each(answer.stream)
    response = Response(body, answer.status, dict(answer.headers))
    for cookie in answer.cookies:
        response.headers.add("Set-Cookie", cookie.header())
    return response


def private(response: Response) -> Response:
    """A guarded page belongs to one person: after signing out, neither a cache nor the back button shows it."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.add("Cookie")
    return response


def blueprint_of(routes: Routes, blueprint_name: str) -> Blueprint:
    """The routes under the adapter's own name."""
    blueprint = Blueprint(blueprint_name, "sso_client.flask")

    def view(name: str) -> Callable[[], Response]:
        def answer() -> Response:
            request.environ[REACHED] = True
            return to_response(drive(routes.answer(name, read_request(with_body=True))))

        return answer

    for name in routes.by_name:
        endpoint = name.replace("-", "_").replace(".", "_")
        blueprint.add_url_rule(f"/{name}", endpoint, view(name), methods=["GET", "HEAD", "POST"])
    return blueprint


def exempt_from_csrf(app: Flask, blueprint_name: str) -> None:
    """Tell Flask-WTF, if the application uses it, that our POSTs prove themselves in another way."""
    protection, done = app.extensions.get("csrf"), f"{blueprint_name} csrf exempt"
    if protection is not None and hasattr(protection, "exempt") and not app.extensions.get(done):
        protection.exempt(app.blueprints[blueprint_name])
        app.extensions[done] = True
