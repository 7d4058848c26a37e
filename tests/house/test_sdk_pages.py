"""Pages in two languages say the same: each Chinese page has its English one, the same outline and code, and links."""

import re
from pathlib import Path

import pytest

from tests.house.sources import ROOT
from tests.house.test_readmes import code, split
from tests.support.doc_pages import blocks

CHINESE = sorted((ROOT / "docs").glob("*.zh.md"))


def english(page: Path) -> Path:
    return page.with_name(page.name.removesuffix(".zh.md") + ".md")


def programs(page: Path) -> list[tuple[str, str, str]]:
    """The blocks that are written in a language; what a program prints is in the reader's."""
    shown = ("", "text", "json")
    return [(b.language, b.file, code(b.text)) for b in blocks(page.name) if b.language not in shown]


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_a_chinese_page_has_the_outline_and_the_code_of_the_english_one(page: Path) -> None:
    outlines = [split(path.read_text(encoding="utf-8"))[0] for path in (page, english(page))]
    assert outlines[0] == outlines[1]
    assert programs(page) == programs(english(page))


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_both_link_to_each_other_near_the_top(page: Path) -> None:
    for this, other in ((page, english(page)), (english(page), page)):
        assert f"]({other.name})" in "".join(this.read_text(encoding="utf-8").splitlines(keepends=True)[:8])


def test_every_page_of_the_sdk_is_in_both_languages() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("sdk*.md")}
    assert [name for name in pages if not name.endswith(".zh.md") and name.replace(".md", ".zh.md") not in pages] == []


def test_a_chinese_page_leads_to_chinese_pages_where_there_are_some() -> None:
    lost = [
        (page.name, target)
        for page in CHINESE
        for target in re.findall(r"\]\(([\w-]+)\.md[)#]", page.read_text(encoding="utf-8"))
        if target != english(page).stem and (ROOT / "docs" / f"{target}.zh.md").exists()
    ]
    assert lost == []


def test_the_page_about_an_existing_site_shows_the_diff_that_is_applied_and_run() -> None:
    (shown,) = [block.text for block in blocks("sdk-existing-site.md") if block.language == "diff"]
    folder = ROOT / "tests" / "sso_client" / "existing_site"
    assert shown == (folder / "to_single_sign_on.diff").read_text(encoding="utf-8")


@pytest.mark.parametrize("framework", ["flask", "django", "wsgi"])
@pytest.mark.parametrize(
    ("language", "second", "others"), [("", "about a second", "every five seconds"), (".zh", "一秒", "每五秒")]
)
def test_a_page_that_promises_news_at_once_says_which_tabs_have_to_ask(
    framework: str, language: str, second: str, others: str
) -> None:
    text = (ROOT / "docs" / f"sdk-{framework}{language}.md").read_text(encoding="utf-8")
    assert all(words in text for words in (second, others, "tab_streams" if framework != "django" else "TAB_STREAMS"))
