"""The edge is Flask's and werkzeug's, but quicker: what it reads and what it sends is what they would."""

from __future__ import annotations

import io

import flask
import pytest
from werkzeug.exceptions import ClientDisconnected
from werkzeug.test import create_environ

from sso_server.web.edge import Answer, Asked, Edge

FORM = "application/x-www-form-urlencoded"
TEXTS = [
    b"", b"a=1", b"a=1&b=2&a=3", b"a", b"a=", b"=x", b"&&a=1&", b"a=%41%zz%", b"a=1+2%2B3", b"+a+=+", b"a=%ff",
    "a=é&密=码".encode(), b"a=%E5%AF%86", b"a=b=c", b"a=1;b=2", b"a%3Db=c", b"a=\x00", b"a=%00",
]  # fmt: skip


def environ_of(body: bytes, content_type: str = FORM, **more: str) -> dict[str, object]:
    environ = create_environ(method="POST", path="/")
    environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body)), **more}
    return environ


@pytest.mark.parametrize("text", [*TEXTS, b"a=\xff", b"\xc3=1"])
@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=utf-8", FORM.upper(), "text/plain", ""])
def test_a_form_means_what_it_means_to_werkzeug(text: bytes, content_type: str) -> None:
    ours, theirs = (kind(environ_of(text, content_type)) for kind in (Asked, flask.Request))
    assert (list(ours.form.lists()), ours.mimetype) == (list(theirs.form.lists()), theirs.mimetype)
    assert not ours.files
    assert list(ours.values.lists()) == list(theirs.values.lists())


@pytest.mark.parametrize("text", TEXTS)
def test_so_does_a_query(text: bytes) -> None:
    query = {"QUERY_STRING": text.decode("latin-1")}
    ours, theirs = (kind(environ_of(b"", **query)) for kind in (Asked, flask.Request))
    assert list(ours.args.lists()) == list(theirs.args.lists())


@pytest.mark.parametrize("cookie", ["", "a=1", "a=1; b=2;a=3", 'a="x\\073y"; b', "a=é", ";;=;a", "a = b"])
def test_so_do_cookies(cookie: str) -> None:
    ours, theirs = (kind(environ_of(b"", HTTP_COOKIE=cookie)) for kind in (Asked, flask.Request))
    assert list(ours.cookies.lists()) == list(theirs.cookies.lists())


def test_a_body_that_ends_early_is_refused() -> None:
    with pytest.raises(ClientDisconnected):
        assert Asked(environ_of(b"a=1&b=", CONTENT_LENGTH="20")).form


@pytest.mark.parametrize("length", ["", "x", "-1", "+3", "³"])
def test_a_body_of_no_length_is_no_form(length: str) -> None:
    assert not Asked(environ_of(b"a=1", CONTENT_LENGTH=length)).form


@pytest.mark.parametrize(
    "address",
    ["https://shop.example.com/cb?code=a&state=b", "/sign-in?request=.eJx", "https://SHOP.example.com/", "/a b", "/é?ü",
     "https://bücher.example/", "//other.example/", "app:/callback?x=1", "https://a.example?x", "/x?", "/x#"],
)  # fmt: skip
def test_an_answer_goes_out_as_werkzeug_would_send_it(address: str) -> None:
    def sent(kind: type[flask.Response], method: str) -> tuple[bytes, str, list[tuple[str, str]]]:
        answer = kind("page", 303)
        answer.headers["Location"] = address
        body, status, headers = answer.get_wsgi_response(create_environ(method=method))
        return b"".join(body), status, headers

    for method in ("GET", "HEAD"):
        assert sent(Answer, method) == sent(flask.Response, method)


@pytest.mark.parametrize("status", [200, 204, 304, 404])
def test_so_does_one_of_any_status(status: int) -> None:
    def sent(kind: type[flask.Response]) -> tuple[bytes, str, list[tuple[str, str]]]:
        body, line, headers = kind("page", status).get_wsgi_response(create_environ())
        return b"".join(body), line, headers

    assert sent(Answer) == sent(flask.Response)


def test_what_is_to_be_done_when_an_answer_is_out_is_done() -> None:
    done: list[str] = []
    answer = Answer("page")
    answer.call_on_close(lambda: done.append("closed"))
    body, _, _ = answer.get_wsgi_response(create_environ())
    body.close()  # type: ignore[attr-defined]
    assert done == ["closed"]


def test_a_length_beside_chunks_is_not_believed() -> None:
    ours, theirs = (
        kind(
            environ_of(
                b"a=1&b=2", CONTENT_LENGTH="3", HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input_terminated": "1"}
            )
        )
        for kind in (Asked, flask.Request)
    )
    assert list(ours.form.lists()) == list(theirs.form.lists())


def test_what_a_view_has_said_of_a_header_is_not_said_again() -> None:
    answer = Answer("page")
    answer.more = lambda given: () if "x-one" in given else (("X-One", "usual"),)
    assert ("X-One", "usual") in answer.get_wsgi_response(create_environ())[2]
    answer.headers["x-one"] = "own"
    assert ("X-One", "usual") not in answer.get_wsgi_response(create_environ())[2]


def test_the_forms_cookie_is_read_when_it_is_looked_at() -> None:
    app = Edge("test")
    app.secret_key = "0123456789"
    app.add_url_rule("/none", "none", lambda: "none")
    app.add_url_rule("/set", "set", lambda: flask.session.update(word="kept") or "set")
    app.add_url_rule("/get", "get", lambda: flask.session["word"])
    client = app.test_client()
    assert client.get("/set").headers["Vary"] == "Cookie"
    answer = client.get("/none")
    assert "Vary" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert client.get("/get").text == "kept"


@pytest.mark.parametrize("host", ["a.example", "A.example:80", "[::1]:9000", "bad host", "x" * 70 + ".example"])
def test_a_host_is_what_it_is_to_flask(host: str) -> None:
    def seen(kind: type[flask.Flask]) -> object:
        app = kind("test")
        app.add_url_rule("/", "root", lambda: flask.url_for("root", _external=True) + flask.request.host)
        return app.test_client().get("/", environ_overrides={"HTTP_HOST": host}).data

    assert seen(Edge) == seen(flask.Flask)
