"""How settings are read from the environment, and what is said of those that can't be."""

from pathlib import Path

import pytest

from sso_server.config import ConfigError, Settings, load, sources
from sso_server.readings import Secret


def problems_of(**environment: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load({f"SSO_{name.upper()}": value for name, value in environment.items()})
    return caught.value.problems


def test_all_problems_are_said_at_once_in_the_order_of_the_page() -> None:
    assert problems_of(
        hash_limit="0", issuer="http://sso.example.com", offer_remember="maybe", lease="x", grace="-1"
    ) == [
        "SSO_ISSUER: must be https outside loopback",
        "SSO_OFFER_REMEMBER: Input should be a valid boolean, unable to interpret input",
        "SSO_LEASE: Input should be a valid integer, unable to parse string as an integer",
        "SSO_GRACE: Input should be greater than or equal to 0",
        "SSO_HASH_LIMIT: Input should be greater than or equal to 1",
    ]


def test_a_word_that_is_none_of_those_is_answered_with_them() -> None:
    assert problems_of(registration="none", web_server="apache") == [
        "SSO_REGISTRATION: Input should be 'token', 'open' or 'off'",
        "SSO_WEB_SERVER: Input should be 'gunicorn' or 'granian'",
    ]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), (" 90 ", 90), ("+90", 90), ("0090", 90), ("1_0", 10), ("90.0", 90)]
)
def test_a_whole_number_may_be_written_in_these_ways(text: str, seconds: int) -> None:
    assert load({"SSO_TICKET_LIFE": text}).ticket_life == seconds


@pytest.mark.parametrize("text", ["", "9e1", "90.5", "90.", "0x5a", "１２", "1__0", "90 s", "9" * 5000])
def test_anything_else_is_no_whole_number(text: str) -> None:
    assert problems_of(ticket_life=text) == [
        "SSO_TICKET_LIFE: Input should be a valid integer, unable to parse string as an integer"
    ]


def test_both_bounds_of_a_number_are_allowed() -> None:
    assert [load({"SSO_TICKET_LIFE": text}).ticket_life for text in ("5", "600")] == [5, 600]
    assert problems_of(ticket_life="601") == ["SSO_TICKET_LIFE: Input should be less than or equal to 600"]


@pytest.mark.parametrize(
    ("text", "meant"), [("1", True), ("YES", True), ("on", True), ("0", False), ("False", False), ("n", False)]
)
def test_yes_and_no_have_several_words(text: str, meant: bool) -> None:
    assert load({"SSO_OFFER_REMEMBER": text}).offer_remember is meant


def test_what_contradicts_is_said_once_each_setting_is_right_by_itself() -> None:
    times = {"session_idle": "7200", "session_absolute": "3600"}
    assert problems_of(**times) == ["SSO_SESSION_ABSOLUTE is shorter than SSO_SESSION_IDLE"]
    assert problems_of(**times, lease="0") == ["SSO_LEASE: Input should be greater than or equal to 1"]


def test_a_secret_shows_itself_to_nobody_who_did_not_ask() -> None:
    settings = Settings(secret_key="k" * 40)  # type: ignore[arg-type]
    assert settings.secret_key == Secret("k" * 40)
    assert settings.secret_key.get_secret_value() == "k" * 40
    assert "kkk" not in f"{settings} {settings!r} {settings.secret_key}"


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        load({}).lease = 1  # type: ignore[misc]


def test_a_secret_that_is_given_twice_is_taken_from_the_variable_and_not_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("f" * 32)
    environment = {"SSO_SECRET_KEY_FILE": str(tmp_path / "key")}
    assert load(environment).secret_key.get_secret_value() == "f" * 32
    assert sources(environment)["secret_key"] == "SSO_SECRET_KEY_FILE"
    environment["SSO_SECRET_KEY"] = "v" * 32
    assert load(environment).secret_key.get_secret_value() == "v" * 32
    assert sources(environment)["secret_key"] == "SSO_SECRET_KEY"
