"""Settings: argument before config before environment, secrets from files, all problems at once."""

from pathlib import Path

import pytest

from sso_client import SettingsError, SSOError, load_settings

GOOD = {"SSO_ISSUER": "https://sso.example.com", "SSO_CLIENT_ID": "shop", "SSO_CLIENT_SECRET": "from environment"}


def test_an_argument_beats_the_config_and_the_config_beats_the_environment() -> None:
    config = {"SSO_CLIENT_SECRET": "from config", "SSO_CLIENT_ID": "from config"}
    settings = load_settings({"client_id": "from argument"}, config, GOOD)
    assert (settings.issuer, settings.client_id, settings.client_secret) == (
        "https://sso.example.com",
        "from argument",
        "from config",
    )


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from file\n")
    environ = {"SSO_ISSUER": GOOD["SSO_ISSUER"], "SSO_CLIENT_ID": "shop"}
    settings = load_settings({}, {}, environ | {"SSO_CLIENT_SECRET_FILE": str(tmp_path / "secret")})
    assert settings.client_secret == "from file"
    assert "from file" not in repr(settings)


def test_all_problems_are_told_at_once_each_with_its_fix() -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(
            {"colour": "red"},
            {},
            {
                "SSO_ISSUER": "http://sso.example.com",
                "SSO_CLIENT_SECRET_FILE": "/nowhere/secret",
                "SSO_STORE": "mongodb://x",
                "SSO_SESSION_MAX_AGE": "a day",
                "SSO_BASE_URL": "shop.example.com",
                "SSO_AFTER_LOGOUT": "dance",
                "SSO_ID_TOKEN_ALGS": "none",
                "SSO_SCOPES": "profile",
                "SSO_ENDPOINT_ORIGINS": "http://evil.example",
            },
        )
    told = " ".join(error.value.problems)
    for word in (
        "colour",
        "SSO_ISSUER",
        "SSO_CLIENT_ID",
        "SSO_CLIENT_SECRET_FILE",
        "SSO_STORE",
        "SSO_SESSION_MAX_AGE",
        "SSO_BASE_URL",
        "SSO_AFTER_LOGOUT",
        "SSO_ID_TOKEN_ALGS",
        "SSO_SCOPES",
        "SSO_ENDPOINT_ORIGINS",
    ):
        assert word in told
    assert len(error.value.problems) == 11


def test_plain_http_is_for_loopback_only() -> None:
    for issuer in ("http://127.0.0.1:9000", "http://localhost:9000", "http://sso.localhost:9000", "http://[::1]:9000"):
        assert load_settings({"issuer": issuer}, {}, GOOD).issuer == issuer
    for issuer in ("http://10.0.0.1", "http://localhost.evil.example", "http://127.0.0.1.evil.example", "ftp://x", "x"):
        with pytest.raises(SettingsError):
            load_settings({"issuer": issuer}, {}, GOOD)


def test_lists_may_be_words_and_numbers_text() -> None:
    settings = load_settings({}, {}, GOOD | {"SSO_SCOPES": "openid email", "SSO_SESSION_MAX_AGE": "60"})
    assert settings.scopes == ("openid", "email")
    assert settings.session_max_age == 60


def test_redirecting_after_logout_needs_an_address() -> None:
    with pytest.raises(SettingsError, match="SSO_BASE_URL"):
        load_settings({"after_logout": "redirect"}, {}, GOOD)


def test_a_store_in_memory_is_refused_because_workers_could_not_share_it() -> None:
    with pytest.raises(SettingsError, match="SSO_STORE"):
        load_settings({"store": "sqlite:///:memory:"}, {}, GOOD)


def test_the_centres_own_name_is_no_audience_of_a_sites_api() -> None:
    assert load_settings({"audience": "https://api.example.com"}, {}, GOOD).audience == "https://api.example.com"
    with pytest.raises(SettingsError, match="SSO_AUDIENCE"):
        load_settings({"audience": "https://sso.example.com"}, {}, GOOD)


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ("", "service is busy or restarting. Fix: Look"),
        ("status 502", "service is busy or restarting. status 502. Fix: Look"),
        ("It said so.", "service is busy or restarting. It said so. Fix: Look"),
    ],
)
def test_an_error_in_the_log_is_sentences(detail: str, told: str) -> None:
    assert told in str(SSOError("provider_unavailable", detail))


def test_what_to_do_about_settings_stands_on_a_line_of_its_own() -> None:
    *_, last, fix = str(SettingsError(["SSO_ISSUER is not set", "SSO_CLIENT_ID is not set"])).splitlines()
    assert (last, fix) == ("  - SSO_CLIENT_ID is not set", "Fix: Mend each line above.")
