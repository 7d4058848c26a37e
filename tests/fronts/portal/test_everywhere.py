"""Sign-out everywhere: what the page says beforehand, and the report over all devices afterwards."""

import pytest

from sso_server.core.clients import Client
from sso_server.core.sign_out import SignOut
from tests.fronts.portal.pages import SAFARI, STORE, Browser, Centre, away


@pytest.fixture
def laptop(centre: Centre, browser: Browser) -> Browser:
    centre.add_user()
    browser.sign_in("alice")
    return browser


def open_elsewhere(centre: Centre, *clients: Client) -> Browser:
    """Alice signs in on a telephone and opens these sites there."""
    phone = centre.browser(user_agent=SAFARI)
    phone.sign_in("alice")
    newest = max(centre.sessions(centre.services.accounts.get("alice")), key=lambda session: session.created_at)
    for client in clients:
        centre.visit(newest, client, "")
    return phone


def open_here(centre: Centre, client: Client, store_id: str = "") -> None:
    (session,) = centre.sessions(centre.services.accounts.get("alice"))
    centre.visit(session, client, store_id)


def listed(browser: Browser, report: str) -> set[str]:
    answered = browser.http.get(report.replace("/signed-out?", "/signed-out.json?")).json
    return {line["client_id"] for line in answered["lines"]}


def test_the_page_says_what_ends_where_and_what_does_not(centre: Centre, laptop: Browser) -> None:
    open_here(centre, centre.add_site())
    open_here(centre, centre.add_site("wiki", "Wiki"), STORE)
    open_here(centre, centre.add_site("quiet", "Quiet", backchannel_logout_uri=""))
    alone = laptop.get("/sign-out").text
    assert "at the sites you opened in this browser: Shop, Wiki." in alone
    assert "Quiet can't be told of a sign-out." in alone
    assert "You are signed in on no other device." in alone
    assert 'value="everywhere"' not in alone
    for _ in range(2):
        open_elsewhere(centre)
    page = laptop.get("/sign-out").text
    assert "those on your 2 other devices and browsers" in page
    assert "your 2 other devices stay signed in" in page


def test_the_first_button_leaves_the_other_devices_alone(centre: Centre, laptop: Browser) -> None:
    phone = open_elsewhere(centre)
    page = laptop.get("/sign-out")
    assert page.text.index('value="here"') < page.text.index('value="everywhere"')
    laptop.submit(page, "/sign-out", scope="here")
    assert phone.get("/").status == 200


def test_the_report_of_everywhere_has_the_sites_of_every_device(centre: Centre, laptop: Browser) -> None:
    shop, wiki = centre.add_site(), centre.add_site("wiki", "Wiki")
    open_here(centre, shop)
    open_elsewhere(centre, shop, wiki)
    report = laptop.submit(laptop.get("/sign-out"), "/sign-out", scope="everywhere").location
    page = laptop.get(report)
    assert "You are signed out everywhere" in page.title
    assert "This ended 2 sessions of yours." in page.text
    assert listed(laptop, report) == {"shop", "wiki"}


def test_a_sign_out_of_this_browser_reports_no_other_device(centre: Centre, laptop: Browser) -> None:
    shop, wiki = centre.add_site(), centre.add_site("wiki", "Wiki")
    open_here(centre, shop)
    open_elsewhere(centre, wiki)
    report = laptop.submit(laptop.get("/sign-out"), "/sign-out", scope="here").location
    assert listed(laptop, report) == {"shop"}


def test_the_report_leaves_out_what_ended_before_and_what_was_opened_after(centre: Centre, laptop: Browser) -> None:
    shop, wiki, blog = (centre.add_site(name, name.title()) for name in ("shop", "wiki", "blog"))
    open_elsewhere(centre, wiki)
    phone = centre.sessions(centre.services.accounts.get("alice"))
    laptop.submit(laptop.get("/sign-out"), "/sign-out", scope="everywhere")
    for session in phone:
        with centre.built.sql.sessions._database.write() as connection:
            connection.exec_driver_sql(f"UPDATE sessions SET ended_at = ended_at - 60000 WHERE sid = '{session.sid}'")
    laptop.sign_in("alice")
    open_here(centre, shop)
    report = laptop.submit(laptop.get("/sign-out"), "/sign-out", scope="everywhere").location
    open_elsewhere(centre, blog)
    assert listed(laptop, report) == {"shop"}
    assert laptop.http.get(report.replace("?", ".json?")).json["summary"] == "Your sites are being told."


def test_devices_that_the_worker_has_yet_to_end_are_named_and_awaited(
    centre: Centre, laptop: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_elsewhere(centre, centre.add_site())
    asked = laptop.get("/sign-out")
    with monkeypatch.context() as slow:
        slow.setattr(SignOut, "run_order", lambda *_: 0)
        report = laptop.submit(asked, "/sign-out", scope="everywhere").location
    page = laptop.get(report)
    assert "One more device is being signed out." in page.text
    assert "status.js" in page.text
    assert listed(laptop, report) == set()
    centre.services.sign_out.run_pending_orders()
    assert listed(laptop, report) == {"shop"}


def test_who_signs_out_everywhere_is_signed_out_here_also_while_nothing_can_be_ended(
    centre: Centre, laptop: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, wiki = centre.add_site(), centre.add_site("wiki", "Wiki")
    open_here(centre, shop)
    phone = open_elsewhere(centre, wiki)
    asked = laptop.get("/sign-out")
    with monkeypatch.context() as broken:
        broken.setattr(type(centre.built.session_stores.sessions), "end", away)
        done = laptop.submit(asked, "/sign-out", scope="everywhere")
    assert done.status == 303
    assert laptop.cookie("lockstep_session") == ""
    assert "2 more devices are being signed out." in laptop.get(done.location).text
    centre.services.sign_out.run_pending_orders()
    assert phone.get("/").location == "/sign-in"
    assert listed(laptop, done.location) == {"shop", "wiki"}


def test_a_sign_out_of_this_browser_that_can_not_be_written_is_a_failure(
    centre: Centre, laptop: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = laptop.get("/sign-out")
    monkeypatch.setattr(type(centre.built.session_stores.sessions), "end", away)
    assert laptop.submit(asked, "/sign-out", scope="here").status == 503
    assert laptop.get("/").status == 200


@pytest.mark.parametrize(
    ("language", "begun", "over"),
    [
        ("en", "Your other devices are being signed out.", "All your other devices are signed out."),
        ("zh", "您的其他设备正在退出登录。", "您的其他设备均已退出登录。"),
    ],
)
def test_the_other_devices_are_called_signed_out_once_they_are(
    centre: Centre, laptop: Browser, monkeypatch: pytest.MonkeyPatch, language: str, begun: str, over: str
) -> None:
    phone = open_elsewhere(centre)
    laptop.options["headers"]["Accept-Language"] = language
    with monkeypatch.context() as broken:
        broken.setattr(type(centre.built.session_stores.sessions), "end", away)
        done = laptop.submit(laptop.get("/sessions"), "/sessions/end", "others", others="1")
    assert done.status == 303
    page = laptop.get(done.location).text
    assert (begun in page, over in page) == (True, False)
    centre.services.sign_out.run_pending_orders()
    assert phone.get("/").location == "/sign-in"
    page = laptop.get(done.location).text
    assert (begun in page, over in page) == (False, True)


def test_all_other_devices_have_a_report_too_and_this_one_is_not_in_it(centre: Centre, laptop: Browser) -> None:
    shop, wiki = centre.add_site(), centre.add_site("wiki", "Wiki")
    open_here(centre, shop)
    open_elsewhere(centre, wiki)
    done = laptop.submit(laptop.get("/sessions"), "/sessions/end", "others", others="1")
    page = laptop.get(done.location)
    assert "All your other devices are signed out." in page.text
    report = "/signed-out?" + page.text.split("/signed-out?", 1)[1].split('"')[0]
    assert listed(laptop, report) == {"wiki"}
    shown = laptop.get(report)
    assert "Your other devices are signed out" in shown.title
    assert "Back to your sessions" in shown.text
    assert "This ended one session of yours." in shown.text
    assert "more device" not in shown.text, "the one that was kept isn't awaited"


def test_the_way_back_is_the_registered_start_page_of_that_moment(centre: Centre, laptop: Browser) -> None:
    shop = centre.add_site()
    open_here(centre, shop)
    payload = {"client_id": "shop", "post_logout_redirect_uri": ""}
    asked = laptop.get(f"/sign-out?request={centre.services.seals.seal('sign-out', payload)}")
    report = laptop.submit(asked, "/sign-out", scope="here").location
    page = laptop.get(report).text
    assert page.index('class="sites"') < page.index('id="again"') < page.index(">Back to Shop<")
    assert 'href="https://shop.example/">Back to Shop' in page
    centre.built.sql.clients.remove("shop")
    centre.services.clients._checked_at = -1000
    assert "shop.example" not in laptop.get(report).text


def test_an_address_to_return_to_that_was_smuggled_in_is_not_shown(centre: Centre, browser: Browser) -> None:
    centre.add_site()
    payload = {"sid": "", "client_id": "shop", "back": "https://evil.example/"}
    page = browser.get(f"/signed-out?of={centre.services.seals.seal('signed-out', payload)}")
    assert "evil.example" not in page.text
    assert 'href="https://shop.example/"' in page.text
