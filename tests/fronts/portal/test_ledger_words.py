"""Whatever the ledger may say, the administrator's page has words for it."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import Babel

from sso_server.core import logout_cures, notifications
from sso_server.core.notifications import Notification, State
from sso_server.core.sessions import EndReason
from sso_server.delivery import addresses
from sso_server.fronts.portal.ledger import answers, words

DELIVERY = Path(addresses.__file__).parent


def say(state: State = State.PENDING, status: int | None = None, error: str = "") -> tuple[str, str]:
    app = Flask(__name__)
    Babel(app)
    row = Notification(
        "sid", "shop", "", "oidc", "", "usr", "sign_out", 1, 2, state, last_status=status, last_error=error
    )
    with app.test_request_context():
        return answers.answer_in_words(row)


def written_by_the_delivery() -> set[str]:
    """The error codes that its source names."""
    sources = "".join(path.read_text(encoding="utf-8") for path in DELIVERY.glob("*.py"))
    sender = (DELIVERY / "sender.py").read_text(encoding="utf-8")
    found = set(re.findall(r'Answer\(None, "(\w+)"\)', sender)) | set(re.findall(r'AddressRefused\("(\w+)"\)', sources))
    return found | set(re.findall(r'_OUR_FAULT = "(\w+)"', sources))


def test_every_error_of_the_delivery_has_words_of_its_own_and_a_cure() -> None:
    codes = written_by_the_delivery() | notifications._FORBIDDEN | {"timeout", "tls", "other_store", "no_address_now"}
    assert {"dns", "connect", "protocol", "centre_failed", "url_forbidden"} <= codes
    said = {code: say(error=code) for code in codes}
    assert [code for code, (what, cure) in said.items() if not (what and cure)] == []
    assert len({what for what, _ in said.values()}) == len(codes), "no two of them are the same, or the fall-back"


def test_every_status_that_the_command_line_has_a_cure_for_has_one_here() -> None:
    codes = [code for code in logout_cures._CURES if re.fullmatch(r"http_\d+", code)]
    assert len(codes) >= 10
    fallback = say(status=418, error="http_418")[1]
    for code in codes:
        status = int(code.removeprefix("http_"))
        what, cure = say(status=status, error=f"{code}/2")
        assert what.endswith(f"({status})")
        assert cure != fallback


@pytest.mark.parametrize(
    ("status", "error", "words_of_it"),
    [
        (302, "http_302", "It sent the call elsewhere (302)"),
        (503, "http_503", "The site failed (503)"),
        (418, "http_418", "An answer that nobody foresaw (418)"),
        (None, "something_new", "An answer that nobody foresaw"),
        (None, "by:root", "root gave it up"),
        (503, "by:cli", "a command on the server gave it up"),
        (None, "set_err:authentication_failed", "When it asked, it refused: authentication_failed"),
        (None, "", ""),
    ],
)
def test_other_answers_are_named_too(status: int | None, error: str, words_of_it: str) -> None:
    assert say(State.ABANDONED, status, error)[0] == words_of_it


def test_what_went_well_in_the_end_went_not_wrong() -> None:
    assert say(State.ACKNOWLEDGED, 503, "http_503") == ("", "")


def test_every_reason_and_every_state_has_words() -> None:
    assert set(words.ENDS) == set(EndReason)
    assert set(words.STATES) == set(State)
    app = Flask(__name__)
    Babel(app)
    with app.test_request_context():
        assert words.end_in_words("of_a_later_version") == "of_a_later_version"
