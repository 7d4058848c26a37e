"""Flask's requests and responses as the SDK's, and back."""

from urllib.parse import urlencode

from flask import Response, request

from sso_client.driving import drive_each
from sso_client.signed_token import MAX_TOKEN
from sso_client.web import WebAnswer, WebRequest


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
