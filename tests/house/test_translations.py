"""Every sentence has its translation and no translation is left over; the compiled file is that of the text file.

To renew, in sso_server/fronts/portal: bring messages.po in line with what
`pybabel extract -F translations/babel.cfg -k lazy_gettext -o - .` prints, then run
`pybabel compile -d translations -l zh_Hans_CN`.
"""

import re
import string
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from tests.house.sources import ROOT

PORTAL = ROOT / "sso_server/fronts/portal"
CHINESE = PORTAL / "translations/zh_Hans_CN/LC_MESSAGES"
PLACE = re.compile(r"%\((\w+)\)")


@cache
def used() -> frozenset[str]:
    """Every sentence in Python files and templates."""
    keywords = {**DEFAULT_KEYWORDS, "lazy_gettext": None}
    methods = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
    found = extract_from_dir(PORTAL, method_map=methods, keywords=keywords)
    return frozenset(key[0] if isinstance(key, tuple) else key for _, _, key, _, _ in found)


@cache
def chinese() -> Catalog:
    with (CHINESE / "messages.po").open("rb") as file:
        return read_po(file, locale="zh_Hans_CN")


def sentences(catalog: Catalog) -> dict[str, str]:
    """Sentence -> translation; of a plural, the singular's key and the first form (Chinese has one)."""
    pairs = ((m.id, m.string) for m in catalog if m.id)
    return {k if isinstance(k, str) else k[0]: v if isinstance(v, str) else v[0] for k, v in pairs}


def test_every_sentence_is_translated_and_no_translation_is_left_over() -> None:
    assert len(used()) > 100
    assert set(sentences(chinese())) == used()
    assert [key for key, text in sentences(chinese()).items() if not text.strip()] == []
    assert [message.id for message in chinese() if message.fuzzy] == []


def test_every_translation_has_the_same_places_to_fill() -> None:
    # A plural's other form may count where the first one says "one".
    wrong = {k for k, v in sentences(chinese()).items() if set(PLACE.findall(k)) - set(PLACE.findall(v))}
    assert wrong == set()
    assert [text for text in sentences(chinese()).values() if PLACE.sub("", text).count("%s") % 2] == []


def test_the_compiled_file_is_that_of_the_text_file() -> None:
    with (CHINESE / "messages.mo").open("rb") as file:
        assert sentences(read_mo(file)) == sentences(chinese())


@pytest.mark.parametrize("template", sorted((PORTAL / "templates").glob("*.html")), ids=lambda path: path.name)
def test_no_template_has_words_of_its_own(template: Path) -> None:
    text = re.sub(r"\{% block shape %\}\w+", "", template.read_text(encoding="utf-8"))
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", text, flags=re.DOTALL)
    outside_tags = re.sub(r"<[^>]*>", " ", text)
    assert [word for word in outside_tags.split() if any(c in string.ascii_letters for c in word)] == []
