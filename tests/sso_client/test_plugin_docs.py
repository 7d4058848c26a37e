"""docs/sdk-testing.md says what works: its blocks are run, and the Chinese page has the same ones."""

import re

import pytest

from sso_client.testing import FakeSSO
from tests.house.sources import ROOT
from tests.house.test_readmes import split

pytest_plugins = ["pytester"]

ENGLISH = (ROOT / "docs/sdk-testing.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "docs/sdk-testing.zh.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"`(\w+)\.py`[:：]\n\n```python\n(.*?)```", ENGLISH, flags=re.DOTALL))


def test_every_block_of_the_page_runs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert len(BLOCKS) == ENGLISH.count("```python")
    pytester.makepyfile(**BLOCKS)
    pytester.makeini("[pytest]\npythonpath = .\nfilterwarnings = error")
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=14)


def test_the_chinese_page_has_the_same_outline_and_the_same_blocks() -> None:
    assert split(CHINESE) == split(ENGLISH)


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_every_verb_is_on_the_page(page: str) -> None:
    verbs = [name for name in dir(FakeSSO) if not name.startswith("_") and name not in ("close", "issuer")]
    table = page.rsplit("\n## ", 1)[1]
    assert [name for name in verbs if not re.search(rf"`{name}[`(]", table)] == []
