"""The administrator's pages in a real Chromium, as in test_looks.py; by keyboard alone; the report counting down."""

from typing import Any

import pytest

from sso_server.core.check_in import CheckIn
from sso_server.core.notifications import Answer, after_answer
from sso_server.core.sessions import EndReason
from tests.fronts.portal.pages import PASSWORD, STORE
from tests.fronts.portal.shown import LANGUAGES, Eye, Shown

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def fill_the_ledger(shown: Shown) -> str:
    """Sign-outs of every kind; the sid of one in which something went wrong at each site."""
    centre = shown.centre
    if centre.services.users.find_by_username("root") is None:
        centre.services.accounts.add("root", PASSWORD, name="Ruth", is_admin=True, actor="test")
    alice = centre.services.accounts.get("alice")
    for _ in range(26 - len(centre.services.ledger.list_ended(26))):
        shown.sign_in()
        centre.services.accounts.sign_out_everywhere(
            alice.user_id, keep_sid="", reason=EndReason.PASSWORD_CHANGE, actor="test"
        )
    for client in (shown.clients[0], shown.clients[3]):
        centre.services.check_ins.check_in(client, CheckIn(STORE, None, (), (), (), None))
    shown.sign_in()
    (session,) = centre.sessions(alice)
    centre.services.sign_out.end(session.sid, EndReason.SIGN_OUT, actor="user")
    now = centre.services.clock.now()
    answers = {"shop": Answer(None, "timeout"), "wiki": Answer(403), "mail": Answer(200, store_id=STORE)}
    rows = [row for bulk in (True, False) for row in centre.built.sql.outbox.claim("t", now, 500, 30_000, bulk=bulk)]
    told = [after_answer(row, answers[row.client_id], now, lambda: 0.5) for row in rows]
    centre.built.sql.outbox.record(told, now)
    centre.services.interventions.retry(session.sid, "shop", actor="admin:root")
    return session.sid


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_on_the_administrators_pages_offends_the_eye(shown: Shown, chromium: Any, language: str) -> None:
    sid = fill_the_ledger(shown)
    eye = Eye(chromium, shown.base, language)
    eye.sign_in("root", PASSWORD)
    eye.look("ledger", "/admin/sign-outs")
    eye.look("ledger-unknown-user", "/admin/sign-outs?user=nobody")
    eye.look("ledger-empty", "/admin/sign-outs?before=1")
    eye.look("ledger-one", f"/admin/sign-outs/{sid}")
    eye.page.locator("section button").first.click()
    eye.page.wait_for_url("**?done=*")
    eye.look("ledger-done")
    eye.page.locator("section a.button").first.click()
    eye.look("ledger-abandon")
    eye.context.close()
    assert eye.objections == []


def test_an_administrator_needs_no_mouse(shown: Shown, chromium: Any) -> None:
    sid = fill_the_ledger(shown)
    eye = Eye(chromium, shown.base, "en")
    eye.sign_in("root", PASSWORD)

    def go(words: str, key: str = "Enter") -> None:
        for _ in range(60):
            eye.page.keyboard.press("Tab")
            focused = eye.page.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent || ''")
            if words in focused:
                eye.page.keyboard.press(key)
                return
        raise AssertionError(f"no {words} in the order of the keys")

    go("All sign-outs")
    eye.page.wait_for_url("**/admin/sign-outs")
    go("alice")
    eye.page.wait_for_url(f"**/admin/sign-outs/{sid}")
    go("Give up ...: Shop")
    eye.page.wait_for_url("**/abandon?site=shop")
    go("Give it up")
    eye.page.wait_for_url("**?done=abandoned")
    eye.context.close()
    (row,) = (row for row in shown.centre.services.ledger.of_session(sid) if row.client_id == "shop")
    assert row.last_error == "by:root"


def test_the_seconds_run_on_the_open_page_and_only_news_is_read_out(shown: Shown, chromium: Any) -> None:
    page = chromium.new_page(locale="en")
    page.goto(shown.base + shown.report(finished=False))
    said = page.evaluate_handle("""() => {
      const said = [];
      new MutationObserver(() => said.push(document.getElementById("summary").textContent))
        .observe(document.getElementById("summary"), { childList: true, characterData: true, subtree: true });
      return said;
    }""")
    words = page.locator("[data-client=mail] .words")
    seen = [words.inner_text()]
    while len(seen) < 4:
        page.wait_for_function("before => document.querySelector('[data-client=mail] .words').textContent !== before",
                               arg=seen[-1], timeout=15_000)  # fmt: skip
        seen.append(words.inner_text())
    left = [int(text.split("safe in ")[1].split()[0]) for text in seen]
    assert left == sorted(set(left), reverse=True)
    assert said.evaluate("said => said.length") == 0
    assert page.locator("[aria-live], [role=status]").count() == 1
    page.close()
