"""Django's requests and answers as the SDK sees them, and back. Nothing is decided here."""

from typing import Any

from django.http import HttpResponse, StreamingHttpResponse

from sso_client.driving import drive_each
from sso_client.signed_token import MAX_TOKEN
from sso_client.web import SetCookie, WebAnswer, WebRequest


def read_request(request: Any, *, with_body: bool = False) -> WebRequest:
    """The request in our words. Raises Django's DisallowedHost. A body is read for our own routes only."""
    path, info = request.path, request.path_info
    query = request.META.get("QUERY_STRING", "")
    return WebRequest(
        method=request.method,
        scheme=request.scheme,
        host=request.get_host(),
        path=info,
        root_path=path.removesuffix(info) if path != info else "",
        query_string=query.encode("latin-1") if query.isascii() else query.encode(),
        headers={name.lower(): value for name, value in request.headers.items()},
        cookies=request.COOKIES,
        remote_addr=request.META.get("REMOTE_ADDR") or "",
        # What something before us has read is still there, unless it was multipart, which none of our routes takes.
        body=request.read(MAX_TOKEN + 1) if with_body and request.method == "POST" else b"",
        may_wait=may_stream(request),
    )


def may_stream(request: Any) -> bool:
    """True where a stream holds a thread of many. Under ASGI, where Django fills in the same name in META, it would be
    collected whole before its first part is sent.
    """
    return bool(request.META.get("wsgi.multithread")) and not hasattr(request, "scope")


def to_response(answer: WebAnswer, *, in_parts: bool = False) -> Any:
    """The answer as Django sends it; `from_sso` marks it as ours. `in_parts` where a stream may hold a thread."""
    parts = None if answer.stream is None else drive_each(answer.stream)
    if parts is not None and in_parts:
        response = StreamingHttpResponse(parts, status=answer.status, headers=dict(answer.headers))
    else:
        # A stream that may not wait has one part; under ASGI Django warns of streams that are no asynchronous ones.
        body = answer.body if parts is None else b"".join(parts)
        response = HttpResponse(body, status=answer.status, headers=dict(answer.headers))
    for cookie in answer.cookies:
        set_cookie(response, cookie)
    response.from_sso = True
    return response


def set_cookie(response: Any, cookie: SetCookie) -> None:
    """Set or, with an empty value, remove one of our cookies."""
    response.set_cookie(
        cookie.name, cookie.value, max_age=cookie.max_age, secure=cookie.secure, httponly=True, samesite="Lax"
    )
