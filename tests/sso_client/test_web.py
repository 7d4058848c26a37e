"""Requests and answers as every framework's adapter hands them on: what is printed of them holds no secret."""

from sso_client.web import SetCookie, WebAnswer, WebRequest


def test_what_is_printed_of_a_request_or_an_answer_lets_nobody_in() -> None:
    secret = "s3cret"
    request = WebRequest(
        method="POST",
        scheme="https",
        host="shop.example",
        path="/sso/callback",
        query_string=f"code={secret}".encode(),
        headers={"cookie": f"sso={secret}", "authorization": f"Bearer {secret}"},
        cookies={"sso": secret},
        body=secret.encode(),
    )
    answer = WebAnswer(302, cookies=(SetCookie("sso", secret, secure=True),))
    assert "/sso/callback" in repr(request)
    assert secret not in repr(request) + repr(answer)
