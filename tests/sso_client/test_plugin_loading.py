"""How pytest finds the plugin, what that costs, and a site that is made once for many tests."""

import sys

import pytest

from tests.house.sources import ROOT

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_pytest_finds_the_fixtures_by_the_installed_package_alone(pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_subprocess("--fixtures")
    done.stdout.fnmatch_lines_random(["fake_sso -- *sso_client/testing/plugin.py*", "signed_in -- *plugin.py*"])


def test_a_project_that_only_has_the_sdk_installed_pays_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_nothing_was_loaded():
            heavy = {"jwt", "cryptography", "requests", "flask", "itsdangerous", "http.server", "sqlite3"}
            assert heavy & sys.modules.keys() == set()
            loaded = {name for name in sys.modules if name.startswith("sso_client")}
            assert loaded == {"sso_client", "sso_client.testing", "sso_client.testing.plugin"}
    """)
    # Other plugins of this installation would bring their own.
    alone = (
        "-p",
        "no:xdist",
        "-p",
        "no:hypothesispytest",
        "-p",
        "no:anyio",
        "-p",
        "no:playwright",
        "-p",
        "no:time_machine",
        "-p",
        "no:schemathesis",
    )
    pytester.runpytest_subprocess(*alone).assert_outcomes(passed=1)


def test_a_site_that_is_made_once_serves_every_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        shop="""
        from flask import Flask
        from sso_client.flask import SSO, current_user

        app = Flask(__name__)
        sso = SSO(app)

        @app.get("/")
        @sso.login_required
        def home():
            return f"Hi {current_user.name}"
    """
    )
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def client(fake_sso):
            import shop

            return shop.app.test_client()

        @pytest.mark.parametrize("turn", range(3))
        def test_somebody_signs_in_and_out(turn, client, fake_sso):
            fake_sso.sign_in(client)
            assert client.get("/").text == "Hi Alice"
            fake_sso.rotate_keys(announced=turn != 1)
            assert fake_sso.live("alice") == [*fake_sso.provider.sessions], "nothing is left of the test before"
            if turn != 1:
                fake_sso.sign_out("alice")
                assert client.get("/").status_code == 302
    """)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=3)


def test_it_stands_without_pytest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        alone="""
        import sys
        from pathlib import Path
        from flask import Flask
        from sso_client.flask import SSO
        from sso_client.testing import FakeSSO

        sso = FakeSSO(Path("store.sqlite3"))
        app = Flask(__name__)
        app.config.update(sso.environ)
        SSO(app)
        client = app.test_client()
        sso.sign_in(client, "bob")
        assert client.get("/sso/me").json["sub"] == "bob"
        sso.close()
        assert "pytest" not in sys.modules
    """
    )
    done = pytester.run(sys.executable, "alone.py")
    assert done.ret == 0, done.stderr.str()
